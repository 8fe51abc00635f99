"""What a test holds in its hand: it takes timestamps, and talks to a server whose answers are timed.

Only what every Python has is imported here: a test run that takes timestamps pays for no library at its start.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ailoop_otel.measure import definitions
from ailoop_otel.measure.observations import OK, Observation, observed

if TYPE_CHECKING:
    from ailoop_otel.measure.chat import Connection

# Each process of a test run numbers its sessions and exchanges from a place of its own.
_RANGE: Final = 1_000_000


class Journal:
    """All that one process of a test run observed; `origin` is when the run began, `time.perf_counter()`."""

    def __init__(self, origin: float, process: int = 0) -> None:
        self.origin = origin
        self.process = process
        self.rows: list[Observation] = []
        self._sessions = self._exchanges = process * _RANGE - 1

    def next_session(self) -> int:
        """The number of a new session."""
        self._sessions += 1
        return self._sessions

    def next_exchange(self) -> int:
        """The number of a new exchange."""
        self._exchanges += 1
        return self._exchanges


class Stopwatch:
    """The `ailoop` fixture of one test.

    with ailoop.step("log in"):                      a step, timed by its block; it fails if the block raises
        ...
    ailoop.mark("ready")                             a step from the timestamp before, or the test's beginning
    with ailoop.connect("ws://host/ws") as chat:     a session; `async with` where the test is asynchronous
        answer = chat.ask("hello")                   (there: `await chat.ask("hello")`)
    assert answer.ok and answer.first_chunk < 2
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._last = time.perf_counter()

    def mark(self, name: str) -> float:
        """Take a timestamp; returns the seconds since the one before, which are a step of that name."""
        return self._step(name, self._last, OK)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a block as a step; a block that raises is a failed one, by its exception's name."""
        begin = time.perf_counter()
        try:
            yield
        except Exception as error:
            self._step(name, begin, type(error).__name__)
            raise
        self._step(name, begin, OK)

    def connect(self, url: str, *, patience: float = 60.0, dialect: str = "") -> Connection:
        """A session with a server, `ws://host:port/ws`; an answer is waited for so many seconds at most.

        `dialect` names whose requests the server takes, AILoop's unless given: docs/dialects.md. Raises Refusal where
        there is none of that name.
        """
        from ailoop_otel.measure.chat import Connection  # needs the libraries of the extra

        return Connection(self._journal, url, patience, dialect)

    def _step(self, name: str, begin: float, outcome: str) -> float:
        self._last = time.perf_counter()
        seconds = self._last - begin
        at = begin - self._journal.origin
        process = self._journal.process
        self._journal.rows.append(observed(definitions.STEP, seconds, at, outcome=outcome, label=name, process=process))
        return seconds
