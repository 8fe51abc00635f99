"""Where spans with content are finished: in a thread of its own, so that nobody in the server waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

from opentelemetry.trace import Span

from ailoop_otel.guard import Guard, tried, warn

Form = Callable[[], dict[str, Any]]

# Spans that wait for their content; beyond it they end without.
_MOST: Final = 512
_PAUSE: Final = 0.005


class Withheld(Exception):
    """Content that must not be told; says why, and nothing of the content."""


class Desk:
    """Forms the content of spans one after the other, sets it, and ends them with the time that they ended at."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._queue: SimpleQueue[tuple[int, Form] | None] = SimpleQueue()
        # Whoever takes a span out of it ends the span.
        self._open: dict[int, tuple[Span, int]] = {}
        self._number = 0
        self._told: set[str] = set()
        threading.Thread(target=self._work, name="ailoop-otel-content", daemon=True).start()

    def end(self, span: Span, end: int, form: Form) -> None:
        """End a span with what `form` gives."""
        if len(self._open) >= _MOST:
            self._tell("spans come faster than their content can be formed")
            span.end(end)
            return
        self._number += 1
        number = self._number
        self._open[number] = (span, end)
        self._queue.put((number, form))

    def drain(self, timeout: float) -> None:
        """Wait until all are ended; those that are not in time end without content."""
        deadline = time.monotonic() + timeout
        while self._open and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        for number in list(self._open):
            self._finish(number, {})

    def stop(self, timeout: float) -> None:
        """As `drain`, and no more after it."""
        self.drain(timeout)
        self._queue.put(None)

    def _work(self) -> None:
        while self._take():
            pass

    # A function of its own: nothing of the last one's content is held while there is nothing to do.
    def _take(self) -> bool:
        job = self._queue.get()
        if job is None:
            return False
        number, form = job
        attributes, fault = tried(form)
        if fault is not None:
            # Of a fault that is not known the class only: its text may hold what a user wrote.
            self._tell(str(fault) if isinstance(fault, Withheld) else f"{type(fault).__name__} in forming content")
        with self._guard:
            self._finish(number, attributes or {})
        return True

    def _finish(self, number: int, attributes: dict[str, Any]) -> None:
        span, end = self._open.pop(number, (None, 0))
        if span is not None:
            span.set_attributes(attributes)
            span.end(end)

    def _tell(self, what: str) -> None:
        if what not in self._told and len(self._told) < _MOST:
            self._told.add(what)
            warn(f"{what}: spans that this happens to have no content")
