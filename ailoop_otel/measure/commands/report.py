"""A report on what was measured before: recorded telemetry, a run directory, old CSV files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ailoop_otel.measure import Refusal, report
from ailoop_otel.measure.legacy.run import imported
from ailoop_otel.measure.results import storage
from ailoop_otel.measure.results.quantities import quantity
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.telemetry.reading import SCENARIO, read, recorded
from ailoop_otel.measure.telemetry.reconciliation import reconciled
from ailoop_otel.measure.verdict import baseline, judge
from ailoop_otel.measure.verdict.verdict import Judgement
from ailoop_otel.recorded import files
from ailoop_otel.settings import Settings

# Less is read before a bar could be seen.
_WORTH_A_BAR: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for; empty where it does not. No place means the directory that the settings name."""

    places: Sequence[Path] = ()
    legacy: bool = False
    client: str = ""
    scenario: str = ""
    since: str = ""
    jaeger: str = ""
    out: str = ""
    targets: str = ""
    baseline: str = ""
    tolerance: str = ""
    strict: bool = False


def look_back(wish: Wish, console: Console) -> int:
    """Show the report, write it where that is asked for, and return the exit code; raises Refusal."""
    if wish.baseline:
        baseline.expected(wish.baseline, wish.out)
    run = run_of(wish, console)
    if wish.jaeger:
        run = replace(run, context=replace(run.context, jaeger=wish.jaeger))
    judgement = _judged(run, wish)
    report.show(run, console, judgement)
    if wish.out:
        directory = Path(wish.out)
        storage.save(run, directory)
        report.write(run, directory, judgement)
        console.print(f"Report and raw data: {directory}", soft_wrap=True, highlight=False)
    return judgement.exit_code(strict=wish.strict) if judgement else 0


def run_of(wish: Wish, console: Console) -> Run:
    """The run that the places hold; raises Refusal where they hold none, or where options contradict each other."""
    if wish.legacy:
        _alone(wish, "--legacy")
        if not wish.places:
            raise Refusal("name the files: ailoop-otel report --legacy *_metrics.csv")
        return imported(wish.places)
    if len(wish.places) > 1:
        raise Refusal("name one directory: of telemetry, or of a run; several files go with --legacy")
    place = next(iter(wish.places), Path(Settings.from_environment().directory))
    if (place / storage.RUN).is_file():
        _alone(wish, f"{place}, a run directory,")
        return storage.load(place)
    if wish.client:
        return reconciled(storage.load(Path(wish.client)), place)
    since = time.time_ns() - round(_seconds(wish.since) * 1e9) if wish.since else 0
    size = files.size(files.find(place))
    columns = (TextColumn("Reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    visible = console.is_terminal and size > _WORTH_A_BAR
    with Progress(*columns, console=console, transient=True, disable=not visible) as bar:
        task = bar.add_task("", total=size)
        reading = read(place, since=since, progress=lambda done: bar.advance(task, done))
    return recorded(reading, scenario=wish.scenario or SCENARIO)


def _judged(run: Run, wish: Wish) -> Judgement | None:
    if not (wish.targets or wish.baseline):
        return None
    return judge.judge_by_files(run, wish.baseline, wish.targets, wish.tolerance)


def _alone(wish: Wish, what: str) -> None:
    for option, value in (("--client", wish.client), ("--scenario", wish.scenario), ("--since", wish.since)):
        if value:
            raise Refusal(f"{option} goes with a directory of telemetry, not with {what.rstrip(',')}: leave it out")


def _seconds(text: str) -> float:
    try:
        return quantity(text, "s", such_as="30 min")
    except ValueError as error:
        raise Refusal(f"--since {error}") from None
