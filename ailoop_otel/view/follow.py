"""The command that prints what happens while it happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import tzinfo
from typing import Final

from rich.console import Console
from rich.text import Text

from ailoop_otel.recorded import files
from ailoop_otel.recorded.files import Follower
from ailoop_otel.recorded.records import Batch
from ailoop_otel.view import documents, lines, recording, summary, theme, units
from ailoop_otel.view.filters import Wish
from ailoop_otel.view.history import History
from ailoop_otel.view.theme import Look

POLL_SECONDS: Final = 0.25


def follow(
    wish: Wish,
    console: Console,
    *,
    zone: tzinfo | None = None,
    now: Callable[[], int] = time.time_ns,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Print a line for each exchange, session and AI timeout that comes, until it is interrupted.

    What was there before is left out, unless the filters say since when.
    """
    follower = Follower(wish.place, from_start=bool(wish.filters.since))
    printer = _Printer(wish, console, theme.look(console, zone, (wish.filters.since or now(), now())))
    printer.greet()
    while True:
        for batch in follower.poll():
            printer.print(batch)
        printer.complain(follower)
        wait(POLL_SECONDS)


class _Printer:
    """Keeps what has to be remembered between the polls."""

    def __init__(self, wish: Wish, console: Console, look: Look) -> None:
        self._wish = wish
        self._console = console
        self._look = look
        self._history = History(wish.filters)
        self._complaints: set[str] = set()

    def greet(self) -> None:
        """Say what is being followed, or what to do where there is nothing yet."""
        if self._wish.json:
            return
        place = self._wish.place
        paths = files.find(place)
        if paths:
            self._say(f"following {units.counted(len(paths), 'file')} in {place}; Ctrl-C ends")
        else:
            self._say(f"{recording.nothing(place)}; waiting for it, Ctrl-C ends")

    def print(self, batch: Batch) -> None:
        """Print what a batch tells."""
        for event in batch.events:
            if self._history.note(event):
                self._put(lines.server_line(event, self._look), documents.server(event))
        for span in batch.spans:
            told = self._history.add(span)
            if told is not None:
                self._put(lines.line(told, self._look), documents.told(told))

    def complain(self, follower: Follower) -> None:
        """Tell what could not be read, each trouble once."""
        for complaint in summary.troubles(follower.tally):
            if complaint.plain not in self._complaints and not self._wish.json:
                self._complaints.add(complaint.plain)
                self._console.print(complaint, soft_wrap=True)

    def _put(self, text: Text, document: dict[str, object]) -> None:
        if self._wish.json:
            self._console.file.write(documents.written(document) + "\n")
            self._console.file.flush()
        else:
            # A terminal breaks between words; whoever reads a pipe gets one line for one thing.
            self._console.print(text, soft_wrap=not self._console.is_terminal)

    def _say(self, text: str) -> None:
        self._console.print(Text(text, theme.QUIET), soft_wrap=True)
