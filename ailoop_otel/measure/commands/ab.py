"""The command `ab`: two servers on one machine, measured in turns, so that the machine affects both alike.

Rounds go A B, B A, A B and so on, so that a machine that slows down favours neither. The difference within each
round is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.commands import DIRECTORY, compare
from ailoop_otel.measure.commands.options import AbOptions
from ailoop_otel.measure.load import campaign, scenario
from ailoop_otel.measure.load.progress import ProgressBars, ProgressListener
from ailoop_otel.measure.load.scenario import Scenario
from ailoop_otel.measure.load.server import running_server
from ailoop_otel.measure.report import JUNIT
from ailoop_otel.measure.report.ci import annotate, junit
from ailoop_otel.measure.results import storage
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict.changes import FEWEST_PAIRS
from ailoop_otel.measure.verdict.judge import judge_pairs, share_of, with_validity_problems
from ailoop_otel.measure.verdict.targets import load as load_targets

JUDGEMENT: Final = "judgement.json"
SUMMARY: Final = "summary.md"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two servers: its address, and the command that starts it for each round, empty if it runs already."""

    name: str
    url: str
    start: str = ""
    instrument: bool = False

    @property
    def words(self) -> str:
        """What it is, for the title."""
        return f"{self.start or self.url}{', instrumented' if self.instrument else ''}"


def run(options: AbOptions, console: Console) -> int:
    """Measure both sides in turns, keep every run, print how B differs from A, and return the exit code.

    Raises Refusal for options that make no sense, and for a server that cannot be reached.
    """
    wanted = scenario.load(options.scenario, options.settings or (), options.messages or ())
    a = Side("A", options.url_a or options.url, options.start_a or options.start)
    instrument = bool(options.start and not options.start_b)
    b = Side("B", options.url_b or options.url, options.start_b or options.start, instrument)
    _check(options.rounds, a, b)
    tolerance = share_of(options.tolerance)
    targets = load_targets(options.targets, wanted.name) if options.targets else None
    directory = Path(options.out or Path(DIRECTORY) / f"{wanted.name}-ab-{datetime.now():%Y%m%d-%H%M%S}")
    if directory.exists() and any(directory.iterdir()):
        raise Refusal(f"{directory} is not empty; give another --out")
    with ProgressBars() as bars:

        def measured(side: Side, number: int) -> Run:
            bars.lead = f"{side.name} {number + 1}/{options.rounds} "
            return _measured(side, wanted, directory / f"{number + 1:02}-{side.name}", bars)

        pairs = list(rounds(options.rounds, a, b, measured))
    contexts = pairs[0][0].context, pairs[0][1].context
    sides = [(side, run) for pair in pairs for side, run in zip(("A", "B"), pair, strict=True)]
    judgement = with_validity_problems(compare.labelled(judge_pairs(pairs, targets, tolerance), *contexts), sides)
    document = compare.written(judgement, *contexts)
    title = f"{options.scenario}, {options.rounds} rounds in turns, means over rounds: A is {a.words}; B is {b.words}"
    (directory / JUDGEMENT).write_text(document, encoding="utf-8")
    (directory / SUMMARY).write_text(compare.markdown(judgement, title), encoding="utf-8")
    (directory / JUNIT).write_text(junit(judgement, contexts[1]), encoding="utf-8")
    if options.json:
        console.file.write(document)
    else:
        compare.show(judgement, title, console)
        console.print(f"All runs: {directory}", soft_wrap=True)
    annotate(judgement)
    return judgement.exit_code(strict=options.strict)


def rounds(count: int, a: Side, b: Side, run: Callable[[Side, int], Run]) -> Iterator[tuple[Run, Run]]:
    """Run both sides `count` times in alternating order; yields each round's runs, A's first."""
    for number in range(count):
        if number % 2 == 0:
            first = run(a, number)
            yield first, run(b, number)
        else:
            other = run(b, number)
            yield run(a, number), other


def _check(count: int, a: Side, b: Side) -> None:
    if count < FEWEST_PAIRS:
        raise Refusal(f"--rounds {count} can prove nothing: take {FEWEST_PAIRS} or more, {2 * FEWEST_PAIRS} say")
    if a.url == b.url and not (a.start and b.start):
        raise Refusal(
            f"both servers are at {a.url}: give two addresses (--url-a, --url-b), or commands that start them "
            "in turns (--start-a, --start-b)"
        )


def _measured(side: Side, wanted: Scenario, directory: Path, progress: ProgressListener) -> Run:
    """Measure one side once and write the run into its own directory."""
    facts: dict[str, Any] = {"side": side.name}
    with ExitStack() as stack:
        pid = None
        if side.start:
            own = stack.enter_context(running_server(side.start, side.url, directory, instrument=side.instrument))
            pid, facts = own.pid, {**facts, "started_by_us": True, "instrumented": side.instrument}
        run = campaign.measure(wanted, side.url, pid=pid, server=facts, progress=progress)
    storage.save(run, directory)
    return run
