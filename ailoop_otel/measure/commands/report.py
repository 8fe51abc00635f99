"""The command `report`: report on recorded telemetry, on a run directory, or on the CSV files of AILoop's old tests."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ailoop_otel.measure import Refusal, report
from ailoop_otel.measure.commands.options import ReportOptions, check_tolerance
from ailoop_otel.measure.legacy import import_files
from ailoop_otel.measure.results import storage
from ailoop_otel.measure.results.run import Run, pooled
from ailoop_otel.measure.telemetry.reading import SCENARIO, read, run_from
from ailoop_otel.measure.telemetry.reconciliation import reconciled
from ailoop_otel.measure.verdict import baseline, judge
from ailoop_otel.recorded import files
from ailoop_otel.settings import Settings
from ailoop_otel.since import parse_since

# Bytes; smaller recordings are read before a progress bar could be seen.
_PROGRESS_ABOVE: Final = 20_000_000


def run(options: ReportOptions, console: Console) -> int:
    """Print the report, write it into `out` if given, and return the exit code; raises Refusal as `runs_of` does."""
    check_tolerance(options)
    if options.baseline:
        baseline.expected(options.baseline, options.out)
    runs = runs_of(options, console)
    judgement = judge.judge_by_files(runs, options.baseline, options.targets, options.tolerance)
    whole = pooled(runs)
    if options.jaeger:
        whole = replace(whole, context=replace(whole.context, jaeger=options.jaeger))
    report.show(whole, console, judgement)
    if options.out:
        directory = Path(options.out)
        storage.save(whole, directory)
        report.write(whole, directory, judgement)
        console.print(f"Report and raw data: {directory}", soft_wrap=True)
    return judgement.exit_code(strict=options.strict)


def runs_of(options: ReportOptions, console: Console) -> list[Run]:
    """Read the run or runs at `options.places`; raises Refusal where there is none, or where options disagree."""
    places = options.places or []
    if options.legacy:
        _check_alone(options, "--legacy")
        if not places:
            raise Refusal("name the files: ailoop-otel report --legacy *_metrics.csv")
        return [import_files(places)]
    if len(places) > 1:
        raise Refusal("name one directory: of telemetry, or of a run; several files go with --legacy")
    place = places[0] if places else Path(Settings.from_environment().directory)
    if baseline.run_directories(place):
        _check_alone(options, f"{place}, a run directory")
        return baseline.load(place) or []
    if options.client:
        # Of the client's run it is known what it was and when.
        _check_alone(options, "--client", "scenario", "since")
        return [reconciled(storage.load(Path(options.client)), place)]
    since = parse_since(options.since, time.time_ns())
    size = files.size(files.find(place))
    columns = (TextColumn("Reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    visible = console.is_terminal and size > _PROGRESS_ABOVE
    with Progress(*columns, console=console, transient=True, disable=not visible) as bar:
        task = bar.add_task("", total=size)
        reading = read(place, since=since, progress=lambda done: bar.advance(task, done))
    return [run_from(reading, scenario=options.scenario or SCENARIO)]


def _check_alone(options: ReportOptions, what: str, *others: str) -> None:
    """Raise Refusal for another option that is for a directory of telemetry alone."""
    for name in others or ("client", "scenario", "since"):
        if getattr(options, name):
            raise Refusal(f"--{name} goes with a directory of telemetry, not with {what}: leave it out")
