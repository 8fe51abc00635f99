"""The command `measure`: run a scenario against a server and write the run directory with its report."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ailoop_otel.exit_codes import INTERRUPTED
from ailoop_otel.measure import Refusal, report
from ailoop_otel.measure.commands import DIRECTORY
from ailoop_otel.measure.commands.chosen_scenario import chosen_scenario
from ailoop_otel.measure.commands.options import MeasureOptions, check_tolerance
from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.load.campaign import Interrupted
from ailoop_otel.measure.load.campaign import measure as run_campaign
from ailoop_otel.measure.load.checked_table import settings_of
from ailoop_otel.measure.load.progress import ProgressBars, ProgressListener
from ailoop_otel.measure.load.scenario import Scenario
from ailoop_otel.measure.load.server import RunningServer, running_server
from ailoop_otel.measure.results import storage
from ailoop_otel.measure.results.run import Run, pooled
from ailoop_otel.measure.telemetry.reconciliation import reconciled
from ailoop_otel.measure.verdict import baseline, judge


def run(options: MeasureOptions, console: Console) -> int:
    """Measure once or several times, write the run directory, print the summary and return the exit code.

    With `--list` it prints the scenarios instead. With several runs each has a directory of its own in it, and the
    report is one of all. Raises Refusal for options or files that make no sense, and for a server that cannot be
    reached.
    """
    if options.listing:
        return list_scenarios(console)
    wanted = chosen_scenario(options)
    # Read before the run, so that a first run that is its own baseline is not compared with itself.
    before = _references(options, wanted)
    directory = _directory(options, wanted)
    runs: list[Run] = []
    interrupted = False
    while len(runs) < options.runs and not interrupted:
        place = directory if options.runs == 1 else directory / f"{len(runs) + 1:02}"
        try:
            with _sigterm_as_interrupt():
                runs.append(_measured(options, wanted, place))
        except Interrupted as end:
            runs.append(end.run)
            interrupted = True
        storage.save(runs[-1], place)
    judgement = judge.judge_by_options(runs, before, options.baseline, options.targets, options.tolerance)
    whole = pooled(runs)
    report.write(whole, directory, judgement)
    if options.save_baseline and not interrupted:
        baseline.save(runs, options.save_baseline)
    report.show(whole, console, judgement)
    console.print(f"Report and raw data: {directory}", soft_wrap=True)
    return INTERRUPTED if interrupted else judgement.exit_code(strict=options.strict)


def list_scenarios(console: Console) -> int:
    """Print the scenarios that come with the package, and the settings that all have."""
    table = Table("Scenario", "What it does", box=None, pad_edge=False, header_style="dim")
    for name in scenario.names():
        one = scenario.load(name)
        words = Text(one.title, "bold").append(f"\n{' '.join(one.text.split())}\n", "not bold")
        table.add_row(name, words)
    console.print(table)
    settings = Table("Setting", "What it is", "Default", box=None, pad_edge=False, header_style="dim")
    for each in settings_of(Scenario):
        settings.add_row(each.key, each.means, each.default)
    console.print("Settings (--set KEY=VALUE), and what holds where a scenario does not say:", style="bold")
    console.print(settings)
    return 0


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Handle SIGTERM, which cancels a CI job, like Ctrl-C: a server that this process started must be stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _references(options: MeasureOptions, wanted: Scenario) -> list[Run] | None:
    """Read the baseline before the run, which may take an hour, so that an error in it shows at once."""
    check_tolerance(options)
    judge.share_of(options.tolerance)
    before = baseline.expected(options.baseline, options.save_baseline, options.out) if options.baseline else None
    if before and before[0].context.scenario != wanted.name:
        raise Refusal(
            f"the baseline {options.baseline} is a run of {before[0].context.scenario}, not of {wanted.name}; "
            "keep one for each scenario"
        )
    return before


def _directory(options: MeasureOptions, wanted: Scenario) -> Path:
    """The run directory; raises Refusal for one that holds a run already."""
    if not options.out:
        return Path(DIRECTORY) / f"{wanted.name}-{datetime.now():%Y%m%d-%H%M%S}"
    directory = Path(options.out)
    if any(directory.glob(f"**/{storage.RUN}")):
        raise Refusal(f"{directory} holds a run already; give another --out, or remove it")
    return directory


def _measured(options: MeasureOptions, wanted: Scenario, directory: Path) -> Run:
    """Measure a running server, or start one; add the telemetry of the started server where there is some."""
    if options.start and options.pid is not None:
        raise Refusal("--start and --pid are two different servers; leave one of them out")
    if options.no_instrument and not options.start:
        raise Refusal("--no-instrument is for a server that this command starts: give --start, or leave it out")
    own: RunningServer | None = None
    try:
        with ExitStack() as stack:
            if options.start:
                server = running_server(options.start, options.url, directory, instrument=not options.no_instrument)
                own = stack.enter_context(server)
            progress: ProgressListener = stack.enter_context(ProgressBars())
            if options.otlp:
                from ailoop_otel.measure.load.otlp import LiveMetrics  # a third of a second, which most runs need not

                progress = stack.enter_context(LiveMetrics(options.otlp, wanted.name, progress))
            pid, facts = (own.pid, own.facts) if own is not None else (options.pid, {})
            run = run_campaign(wanted, options.url, pid=pid, server=facts, jaeger=options.jaeger, progress=progress)
    except Interrupted as end:
        raise Interrupted(_reconciled(end.run, own)) from None
    except Refusal as refusal:
        if own is None:
            raise
        raise Refusal(f"{refusal} (what the server said is in {own.log})") from refusal
    return _reconciled(run, own)


def _reconciled(run: Run, own: RunningServer | None) -> Run:
    """Add what the server, which has stopped, recorded of the same messages."""
    if own is None or own.telemetry is None:
        return run
    try:
        return reconciled(run, own.telemetry)
    except Refusal:
        note = (
            f"The server wrote no telemetry into {own.telemetry}: install ailoop-otel in its environment, and let no "
            "OTEL_*_EXPORTER send it elsewhere."
        )
        # It may be instrumented and send its telemetry elsewhere.
        server = {name: value for name, value in run.context.server.items() if name != "instrumented"}
        return replace(run, context=replace(run.context, notes=(*run.context.notes, note), server=server))
