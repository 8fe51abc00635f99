"""The verb `measure`: a server, a scenario, and a run directory with everything that came of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ailoop_otel.measure import baseline, judge, report, scenario, storage, targets
from ailoop_otel.measure.campaign import Interrupted
from ailoop_otel.measure.campaign import measure as conduct
from ailoop_otel.measure.progress import Bars
from ailoop_otel.measure.reconciliation import reconciled
from ailoop_otel.measure.refusal import Refusal
from ailoop_otel.measure.run import Run
from ailoop_otel.measure.scenario import Scenario
from ailoop_otel.measure.server import Started, started

INTERRUPTED: Final = 130
URL: Final = "ws://127.0.0.1:8000/ws"
DIRECTORY: Final = "ailoop-measurements"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for; empty where it does not."""

    scenario: str
    url: str = URL
    start: str = ""
    pid: int | None = None
    out: str = ""
    processes: int | None = None
    dialect: str = ""
    overrides: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    baseline: str = ""
    save_baseline: str = ""
    targets: str = ""
    tolerance: str = ""
    jaeger: str = ""
    instrument: bool = True
    strict: bool = False


def measure(wish: Wish, console: Console) -> int:
    """Measure, write the run directory, show the summary, and return the exit code; raises Refusal."""
    wanted = _scenario(wish)
    _check_judges(wish, wanted)
    directory = _directory(wish, wanted)
    try:
        with _ending_well():
            run, interrupted = _measured(wish, wanted, directory), False
    except Interrupted as end:
        run, interrupted = end.run, True
    # What is written may be what is named as the baseline, which the first run does not have yet.
    try:
        judgement = judge.judge_by_files(run, _baseline(wish, directory), wish.targets, wish.tolerance)
    finally:
        storage.save(run, directory)
    report.write(run, directory, judgement)
    if wish.save_baseline and not interrupted:
        baseline.save(run, wish.save_baseline)
    report.show(run, console, judgement)
    console.print(f"Report and raw data: {directory}", soft_wrap=True, highlight=False)
    return INTERRUPTED if interrupted else judgement.exit_code(strict=wish.strict)


def listing(console: Console) -> int:
    """Print the scenarios that come with the package, and the settings that all have."""
    table = Table("Scenario", "What it does", box=None, pad_edge=False, header_style="dim")
    for name in scenario.names():
        one = scenario.load(name)
        words = Text(one.title, "bold").append(f"\n{' '.join(one.text.split())}\n", "not bold")
        table.add_row(name, words)
    console.print(table, highlight=False)
    settings = Table("Setting", "What it is", "Default", box=None, pad_edge=False, header_style="dim")
    for each in scenario.known():
        settings.add_row(each.key, each.means, each.default)
    console.print("Settings (--set KEY=VALUE), and what holds where a scenario does not say:", style="bold")
    console.print(settings, highlight=False)
    return 0


@contextmanager
def _ending_well() -> Iterator[None]:
    """Take SIGTERM, by which a CI job is cancelled, for a Ctrl-C: a server of our own must not outlive us."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _scenario(wish: Wish) -> Scenario:
    if not wish.scenario:
        raise Refusal(f"name a scenario: {', '.join(scenario.names())}, or a TOML file; --list says what they do")
    overrides = [*wish.overrides]
    if wish.processes is not None:
        overrides.append(f"processes={wish.processes}")
    if wish.dialect:
        overrides.append(f"dialect={wish.dialect}")
    return scenario.load(wish.scenario, overrides, wish.messages)


def _check_judges(wish: Wish, wanted: Scenario) -> None:
    """Read what will judge the run before it, which may take an hour."""
    judge.share_of(wish.tolerance)
    if wish.targets:
        targets.load(wish.targets, wanted.name)
    before = baseline.expected(wish.baseline, wish.save_baseline, wish.out) if wish.baseline else None
    if before is not None and before.context.scenario != wanted.name:
        raise Refusal(
            f"the baseline {wish.baseline} is a run of {before.context.scenario}, not of {wanted.name}; "
            "keep one for each scenario"
        )


def _baseline(wish: Wish, directory: Path) -> str:
    """Where the baseline is: the run in this run's own directory, which may be there already with a server's log."""
    own = bool(wish.baseline) and Path(wish.baseline).resolve() == directory.resolve()
    return str(directory / storage.RUN) if own else wish.baseline


def _directory(wish: Wish, wanted: Scenario) -> Path:
    """Where the run goes; a directory that holds one already is left alone."""
    if not wish.out:
        return Path(DIRECTORY) / f"{wanted.name}-{datetime.now():%Y%m%d-%H%M%S}"
    directory = Path(wish.out)
    if (directory / storage.RUN).exists():
        raise Refusal(f"{directory} holds a run already; give another --out, or remove it")
    return directory


def _measured(wish: Wish, wanted: Scenario, directory: Path) -> Run:
    """Measure with the server that is there, or with one of our own; joined with its telemetry where it has some."""
    if wish.start and wish.pid is not None:
        raise Refusal("--start and --pid are two different servers; leave one of them out")
    facts: dict[str, Any] = {}
    own: Started | None = None
    try:
        with ExitStack() as stack:
            if wish.start:
                own = stack.enter_context(started(wish.start, wish.url, directory, instrument=wish.instrument))
                facts = {"started_by_us": True, "instrumented": wish.instrument}
            bars = stack.enter_context(Bars())
            pid = own.pid if own is not None else wish.pid
            run = conduct(wanted, wish.url, pid=pid, server=facts, jaeger=wish.jaeger, watch=bars)
    except Interrupted as end:
        raise Interrupted(_joined(end.run, own)) from None
    except Refusal as refusal:
        raise Refusal(f"{refusal}{_where(own)}") from refusal
    return _joined(run, own)


def _joined(run: Run, own: Started | None) -> Run:
    """With what the server, which has stopped, recorded of the same messages."""
    if own is None or own.telemetry is None:
        return run
    try:
        return reconciled(run, own.telemetry)
    except Refusal:
        note = (
            f"The server wrote no telemetry into {own.telemetry}: install ailoop-otel in its environment, and let no "
            "OTEL_*_EXPORTER send it elsewhere."
        )
        server = run.context.server | {"instrumented": False}
        return replace(run, context=replace(run.context, notes=(*run.context.notes, note), server=server))


def _where(own: Started | None) -> str:
    return f" (what the server said is in {own.log})" if own is not None else ""
