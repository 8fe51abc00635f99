"""The command `report`: report on recorded telemetry, on a run directory, or on the CSV files of AILoop's old tests."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ailoop_otel.measure import Refusal, report
from ailoop_otel.measure.legacy.run import import_files
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


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The command's arguments and options; empty where one is not given.

    Without `places`, telemetry is read from the directory that the settings name.
    """

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


def run_report(options: ReportOptions, console: Console) -> int:
    """Print the report, write it into `out` if given, and return the exit code; raises Refusal as `runs_of` does."""
    if options.baseline:
        baseline.expected(options.baseline, options.out)
    runs = runs_of(options, console)
    judgement = judge.judge_by_files(runs, options.baseline, options.targets, options.tolerance)
    run = pooled(runs)
    if options.jaeger:
        run = replace(run, context=replace(run.context, jaeger=options.jaeger))
    report.show(run, console, judgement)
    if options.out:
        directory = Path(options.out)
        storage.save(run, directory)
        report.write(run, directory, judgement)
        console.print(f"Report and raw data: {directory}", soft_wrap=True)
    return judgement.exit_code(strict=options.strict)


def runs_of(options: ReportOptions, console: Console) -> list[Run]:
    """Read the run or runs at `options.places`; raises Refusal where there is none, or where options disagree."""
    if options.legacy:
        _check_alone(options, "--legacy")
        if not options.places:
            raise Refusal("name the files: ailoop-otel report --legacy *_metrics.csv")
        return [import_files(options.places)]
    if len(options.places) > 1:
        raise Refusal("name one directory: of telemetry, or of a run; several files go with --legacy")
    place = next(iter(options.places), Path(Settings.from_environment().directory))
    if baseline.run_directories(place):
        _check_alone(options, f"{place}, a run directory,")
        return baseline.load(place) or []
    if options.client:
        return [reconciled(storage.load(Path(options.client)), place)]
    since = parse_since(options.since, time.time_ns())
    size = files.size(files.find(place))
    columns = (TextColumn("Reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    visible = console.is_terminal and size > _PROGRESS_ABOVE
    with Progress(*columns, console=console, transient=True, disable=not visible) as bar:
        task = bar.add_task("", total=size)
        reading = read(place, since=since, progress=lambda done: bar.advance(task, done))
    return [run_from(reading, scenario=options.scenario or SCENARIO)]


def _check_alone(options: ReportOptions, what: str) -> None:
    for option, value in (("--client", options.client), ("--scenario", options.scenario), ("--since", options.since)):
        if value:
            raise Refusal(f"{option} goes with a directory of telemetry, not with {what.rstrip(',')}: leave it out")
