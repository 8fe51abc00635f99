"""The `ailoop` fixture: steps and timestamps of a test, and sessions with a server.

Only the standard library is imported here: a test run that does not connect does not wait for other imports.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import OK, ObservationLog, observed

if TYPE_CHECKING:
    from ailoop_otel.measure.testing.chat import ChatSession


class Stopwatch:
    """The `ailoop` fixture of one test.

    with ailoop.step("log in"):                      a step, timed by its block; it fails if the block raises
        ...
    ailoop.mark("ready")                             a step since the last timestamp, or since the test began
    with ailoop.connect("ws://host/ws") as chat:     a session; `async with` where the test is asynchronous
        answer = chat.ask("hello")                   (there: `await chat.ask("hello")`)
    assert answer.ok and answer.first_chunk < 2
    """

    def __init__(self, log: ObservationLog) -> None:
        self._log = log
        self._last = time.perf_counter()

    def mark(self, name: str) -> float:
        """Take a timestamp and record the time since the last one as a step of this name; returns it in seconds."""
        return self._step(name, self._last, OK)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record the duration of a block as a step; if it raises, the outcome is the name of the exception's class."""
        begin = time.perf_counter()
        try:
            yield
        except Exception as error:
            self._step(name, begin, type(error).__name__)
            raise
        self._step(name, begin, OK)

    def connect(self, url: str, *, patience: float = 60.0, dialect: str = "") -> ChatSession:
        """Return a session with the server at `url` (`ws://host:port/ws`), to be used in `with` or `async with`.

        `patience` is how many seconds to wait for the connection, for the session, and for each answer; `dialect` names
        whose requests the server takes, AILoop's by default (docs/dialects.md). Raises Refusal for an unknown one.
        """
        from ailoop_otel.measure.testing.chat import ChatSession  # needs the libraries of the extra

        return ChatSession(self._log, url, patience, dialect)

    def _step(self, name: str, begin: float, outcome: str) -> float:
        self._last = time.perf_counter()
        seconds = self._last - begin
        at = begin - self._log.origin
        process = self._log.process
        self._log.rows.append(observed(definitions.STEP, seconds, at, outcome=outcome, label=name, process=process))
        return seconds
