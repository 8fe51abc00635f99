"""The progress of a run, shown on standard error where that is a terminal."""

from __future__ import annotations

from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ailoop_otel.terminal import Terminal


class ProgressListener(Protocol):
    """Receives the progress of a run."""

    def segment(self, name: str, seconds: float) -> None:
        """A segment of the run begins, which takes at most `seconds`."""

    def update(self, elapsed: float, sessions: int, done: int, errors: int) -> None:
        """`elapsed` seconds of the segment are over; sessions connected, messages ended and failed so far."""


class NoProgress:
    """Ignores the progress."""

    def segment(self, name: str, seconds: float) -> None:
        """Do nothing."""

    def update(self, elapsed: float, sessions: int, done: int, errors: int) -> None:
        """Do nothing."""


class ProgressBars:
    """Draws one bar for each segment; a context manager. Draws nothing if the console is no terminal."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Terminal(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[counts]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressBars:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def segment(self, name: str, seconds: float) -> None:
        """Begin a new bar."""
        self._finish()
        self._task = self._progress.add_task(name, total=max(seconds, 0.01), counts="")

    def update(self, elapsed: float, sessions: int, done: int, errors: int) -> None:
        """Update the bar."""
        if self._task is not None:
            counts = f"{sessions} sessions, {done} messages, {errors} failed"
            self._progress.update(self._task, completed=elapsed, counts=counts)

    def _finish(self) -> None:
        if self._task is not None:
            task = self._progress.tasks[self._progress.task_ids.index(self._task)]
            self._progress.update(self._task, completed=task.total)
