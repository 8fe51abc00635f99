"""How far a run is, on the standard error, for people only."""

from __future__ import annotations

from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class ProgressListener(Protocol):
    """Who is told how far a run is."""

    def stage(self, name: str, seconds: float) -> None:
        """A stretch of the run begins, which takes so long at most."""

    def seen(self, elapsed: float, sessions: int, done: int, errors: int) -> None:
        """So much of the stretch is over; sessions connected, messages done and failed so far."""


class NoProgress:
    """Nobody is told."""

    def stage(self, name: str, seconds: float) -> None:
        """Nothing is said."""

    def seen(self, elapsed: float, sessions: int, done: int, errors: int) -> None:
        """Nothing is said."""


class ProgressBars:
    """One bar for each stretch; a context manager. Nothing is drawn where there is no terminal."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[seen]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressBars:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def stage(self, name: str, seconds: float) -> None:
        """Begin a bar of its own."""
        self._finish()
        self._task = self._progress.add_task(name, total=max(seconds, 0.01), seen="")

    def seen(self, elapsed: float, sessions: int, done: int, errors: int) -> None:
        """Draw how far it is."""
        if self._task is not None:
            words = f"{sessions} sessions, {done} messages, {errors} failed"
            self._progress.update(self._task, completed=elapsed, seen=words)

    def _finish(self) -> None:
        if self._task is not None:
            task = self._progress.tasks[self._progress.task_ids.index(self._task)]
            self._progress.update(self._task, completed=task.total)
