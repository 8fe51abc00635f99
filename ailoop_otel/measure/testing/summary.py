"""The end of a test run: what its tests timed, judged, shown and written."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from rich.console import Console

from ailoop_otel.measure import Refusal, report
from ailoop_otel.measure.results import machine, storage
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.verdict import judge, targets
from ailoop_otel.measure.verdict.baseline import expected
from ailoop_otel.measure.verdict.verdict import Judgement, Verdict

SCENARIO: Final = "tests"


class TestRunSummary:
    """Judges a test run by targets and an earlier run; raises Refusal where one of the files makes no sense."""

    def __init__(self, directory: Path | None, wanted: Path | None, baseline: Path | None) -> None:
        self._directory = directory
        self._targets, self._baseline = (str(path or "") for path in (wanted, baseline))
        # Whoever waits for the last test should not be told only then.
        if wanted:
            targets.load(wanted, SCENARIO)
        if baseline:
            expected(baseline, directory)
        self._run: Run | None = None
        self._judgement: Judgement | None = None
        self._trouble = ""

    def end(self, rows: Sequence[Observation], began: float, gone: int) -> bool:
        """Judge what was observed and write it where that is asked for; returns whether the run has to fail.

        `began` is in seconds since 1970, `gone` how many processes of the run took what they observed along.
        """
        self._run = _run(rows, began, gone)
        try:
            if self._targets or self._baseline:
                self._judgement = judge.judge_by_files(self._run, self._baseline, self._targets)
            if self._directory:
                storage.save(self._run, self._directory)
                report.write(self._run, self._directory, self._judgement)
        except Refusal as refusal:
            self._trouble = str(refusal)
        return bool(self._trouble) or (self._judgement is not None and self._judgement.verdict is Verdict.FAIL)

    def told(self, *, color: bool) -> Iterator[str]:
        """The summary as text for a terminal."""
        if self._run is None:
            return
        written = io.StringIO()
        width = shutil.get_terminal_size().columns
        console = Console(file=written, width=width, force_terminal=color, highlight=False, legacy_windows=False)
        report.show(self._run, console, self._judgement)
        yield written.getvalue()
        if self._trouble:
            yield f"ailoop-otel: {self._trouble}\n"
        elif self._directory:
            yield f"Report and raw data: {self._directory}\n"


def _run(rows: Sequence[Observation], began: float, gone: int) -> Run:
    ordered = sorted(rows, key=lambda row: row.at)
    lost = f"{gone:,} processes of the test run crashed: what they had timed is missing."
    context = Context(
        scenario=SCENARIO,
        source="tests",
        started_at=datetime.fromtimestamp(began, timezone.utc).isoformat(timespec="milliseconds"),
        duration=max(0.0, ordered[-1].at - ordered[0].at),
        machine=machine.fingerprint(),
        versions=machine.versions(),
        notes=(lost,) if gone else (),
    )
    return Run(context, ordered)
