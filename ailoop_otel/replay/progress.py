"""How far a replay is, drawn on the error output while it runs."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ailoop_otel.replay.account import Account

# What is said of single lines; the rest is only counted.
_MOST_TOLD: Final = 10


class Display:
    """A bar over the bytes of the files, with the records sent and their rate; nothing where no terminal is."""

    def __init__(self, size: int) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            BarColumn(bar_width=None),
            DownloadColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=size)
        self._told = 0

    def advance(self, size: int, account: Account) -> None:
        """A line of so many bytes is done."""
        elapsed = self._progress.tasks[0].elapsed or 0.0
        rate = f", {account.records.total() / elapsed:,.0f}/s" if account.records and elapsed > 1 else ""
        self._progress.update(self._task, advance=size, description=f"{account.sent_records}{rate}")

    def wait(self, reason: str, pause: float) -> None:
        """The collector does not take a line just now."""
        self._progress.update(self._task, description=f"{reason}; next try in {pause:.0f} s")

    def tell(self, told: str) -> None:
        """Say something of one line; after some, only that there is more."""
        self._told += 1
        if self._told <= _MOST_TOLD:
            self._progress.console.print(escape(told), soft_wrap=True)
        elif self._told == _MOST_TOLD + 1:
            self._progress.console.print("... and more of this", soft_wrap=True)

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
