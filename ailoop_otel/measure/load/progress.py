"""The progress of a run, shown on standard error where that is a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.terminal import Terminal


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: sessions connected, messages ended, failed and in flight so far.

    `rate` is messages ended per second, `p50` and `p95` the first chunk in seconds, all of the last seconds; NaN for
    none, infinity where failures reach it.
    """

    sessions: int
    done: int
    errors: int
    in_flight: int
    rate: float = math.nan
    p50: float = math.nan
    p95: float = math.nan


class ProgressListener:
    """Receives the progress of a run; this one ignores it."""

    def segment(self, name: str, seconds: float) -> None:
        """A segment of the run begins, which takes at most `seconds`."""

    def update(self, elapsed: float, now: Progress) -> None:
        """`elapsed` seconds of the segment are over, with these counts and figures."""

    def take(self, observations: Sequence[Observation]) -> None:
        """These observations have come since the last call."""


def live_text(now: Progress) -> str:
    """The counts of a run, and the figures of its last seconds: `9.8/s, 4 in flight, first chunk p50 0.2 s ...`."""
    counts = f"{now.sessions} sessions, {now.done} messages, {now.errors} failed"
    if math.isnan(now.p50):
        return counts
    p50, p95 = ("failed" if math.isinf(each) else f"{each:.3g} s" for each in (now.p50, now.p95))
    return f"{counts}; now {now.rate:.3g}/s, {now.in_flight} in flight, first chunk p50 {p50}, p95 {p95}"


class ProgressBars(ProgressListener):
    """Draws one bar for each segment; a context manager. Draws nothing if the console is no terminal.

    `lead` is written before the name of each segment.
    """

    lead = ""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Terminal(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[counts]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressBars:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def segment(self, name: str, seconds: float) -> None:
        """Begin a new bar."""
        self._finish()
        self._task = self._bars.add_task(f"{self.lead}{name}", total=max(seconds, 0.01), counts="")

    def update(self, elapsed: float, now: Progress) -> None:
        """Update the bar and the figures beside it."""
        if self._task is not None:
            self._bars.update(self._task, completed=elapsed, counts=live_text(now))

    def _finish(self) -> None:
        if self._task is not None:
            task = self._bars.tasks[self._bars.task_ids.index(self._task)]
            self._bars.update(self._task, completed=task.total)
