"""The summary of a test run: what its tests timed, with the verdict, as text and as a report."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from ailoop_otel.measure import Refusal, report
from ailoop_otel.measure.results import definitions, machine, storage
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.statistics.estimates import run_figures
from ailoop_otel.measure.verdict import judge, targets
from ailoop_otel.measure.verdict.baseline import expected
from ailoop_otel.measure.verdict.targets import Targets
from ailoop_otel.measure.verdict.verdict import Judgement, Verdict
from ailoop_otel.terminal import Terminal

SCENARIO: Final = "tests"


class RunSummary:
    """Judges a test run by targets and by an earlier run.

    Raises Refusal for a file of targets or a baseline that cannot be read.
    """

    def __init__(self, directory: Path | None, wanted: Path | None, baseline: Path | None) -> None:
        self._directory = directory
        self._targets, self._baseline = (str(path or "") for path in (wanted, baseline))
        # Read now, so that an error in them shows before the first test and not after the last.
        self._wanted = targets.load(wanted, SCENARIO) if wanted else Targets()
        if baseline:
            expected(baseline, directory)
        self._run: Run | None = None
        self._judgement: Judgement | None = None
        self._error = ""

    def end(self, rows: Sequence[Observation], began: float, lost: int) -> bool:
        """Judge the observations and write the report if a directory was given; returns whether the run has to fail.

        `began` is in seconds since 1970; `lost` counts the processes that crashed, whose observations are missing.
        """
        self._run = _run(run_of(rows, self._wanted), began, lost)
        try:
            if self._targets or self._baseline:
                self._judgement = judge.judge_by_files(self._run, self._baseline, self._targets)
            if self._directory:
                storage.save(self._run, self._directory)
                report.write(self._run, self._directory, self._judgement)
        except Refusal as refusal:
            self._error = str(refusal)
        return bool(self._error) or (self._judgement is not None and self._judgement.verdict is Verdict.FAIL)

    def text(self, *, color: bool) -> Iterator[str]:
        """The summary as text for a terminal, in parts."""
        if self._run is None:
            return
        output = io.StringIO()
        width = shutil.get_terminal_size().columns
        console = Terminal(file=output, width=width, force_terminal=color, legacy_windows=False)
        report.show(self._run, console, self._judgement)
        yield output.getvalue()
        if self._error:
            yield f"ailoop-otel: {self._error}\n"
        elif self._directory:
            yield f"Report and raw data: {self._directory}\n"


def run_of(rows: Sequence[Observation], targets: Targets) -> Run:
    """A run of what tests timed, with those figures of the whole run that there are targets for.

    Errors and rate of tests are as intended: without a target, nobody should be told that they have changed.
    """
    ordered = sorted(rows, key=lambda row: row.at)
    run = Run(Context(SCENARIO, source="tests"), ordered)
    end = ordered[-1].at if ordered else 0.0
    asked = set() if targets.if_observed else {each.metric for each in targets.targets}
    figures = [row for row in run_figures(run.steady(definitions.COMPLETION), end) if row.metric in asked]
    return replace(run, observations=[*ordered, *figures])


def _run(run: Run, began: float, lost: int) -> Run:
    """The run with the context of the report."""
    crashed = f"{lost:,} processes of the test run crashed: what they had timed is missing."
    context = replace(
        run.context,
        started_at=datetime.fromtimestamp(began, timezone.utc).isoformat(timespec="milliseconds"),
        duration=max(0.0, run.observations[-1].at - run.observations[0].at),
        machine=machine.fingerprint(),
        versions=machine.versions(),
        notes=(crashed,) if lost else (),
    )
    return replace(run, context=context)
