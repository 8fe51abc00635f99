"""Ends spans that have content in a thread of its own, so that nothing in the server waits for redaction.

The user's redaction hook is called where it can do no harm: on a thread that is left behind when a call does not
return. A hook that holds the interpreter's lock all the time, as a regular expression that backtracks without end does,
stops the whole process: against that no thread helps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from opentelemetry.trace import Span

from ailoop_otel import names
from ailoop_otel.fork import begin
from ailoop_otel.guard import Guard, tried, warn
from ailoop_otel.recording.call_thread import CallThread
from ailoop_otel.recording.spans import Spans
from ailoop_otel.server.content.attribute import Redact, Withheld
from ailoop_otel.unpatched import time

EndSpan = Callable[[Span, int, "dict[str, Any]", bool], None]
MakeAttributes = Callable[[], dict[str, Any]]

# So many spans may wait for their content; further ones end without.
_MOST: Final = 512
_NOTHING: Final[Mapping[str, Any]] = {}
# Seconds between two looks at whether all spans have ended.
_PAUSE: Final = 0.005
# How long one call of the hook may take, seconds.
_LIMIT: Final = 5.0
# After so many calls that took longer, each of which keeps a thread, the hook is not called any more.
_MOST_HUNG: Final = 3
_NEVER: Final = float("inf")


class SpanFinisher:
    """A queue of spans that have ended and wait for their content attributes, and the thread that makes these.

    A span ends with the end time it was given, whenever its content is ready; `end_span` is how.
    """

    _thread: CallThread | None

    def __init__(self, guard: Guard, redaction: Redaction | None = None, end_span: EndSpan = Spans.end) -> None:
        self._redaction = redaction
        self._end_span = end_span
        self._number = 0
        self._warned: set[str] = set()
        self._guard = guard
        begin(self._begin)

    def end(
        self, span: Span, end: int, make: MakeAttributes, known: Mapping[str, Any] = _NOTHING, error: bool = False
    ) -> None:
        """End a span at `end` (nanoseconds since the epoch) with what is `known`, and what `make` returns."""

        def finish(attributes: dict[str, Any]) -> None:
            self._end_span(span, end, {**known, **attributes}, error)

        if len(self._open) >= _MOST:
            self._warn_once("spans come faster than their content can be formed")
            finish({})
            return
        self._number += 1
        number = self._number
        self._open[number] = finish
        if self._thread is None:
            self._thread = CallThread("ailoop-otel-content", self._guard)
        self._thread.submit(partial(self._form, number, make))

    def drain(self, timeout: float) -> None:
        """Wait `timeout` seconds at most until all spans have ended; those that have not end without content."""
        deadline = time.monotonic() + timeout
        while self._open and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        for number in list(self._open):
            self._finish(number, {})

    def stop(self, timeout: float) -> None:
        """As `drain`, and end the thread."""
        self.drain(timeout)
        if self._thread is not None:
            self._thread.stop()
        if self._redaction is not None:
            self._redaction.stop()

    def _begin(self) -> None:
        # In a forked child those that wait are the parent's; it gets a finisher of its own.
        self._thread = None
        # Who takes a span out of here ends it: so it ends once.
        self._open: dict[int, Callable[[dict[str, Any]], None]] = {}

    def _form(self, number: int, make: MakeAttributes) -> None:
        attributes, fault = tried(make) if self._redaction is None else self._redaction.run(make)
        if fault is not None:
            # Only the class of an exception that is not ours: its text may hold what a user wrote.
            reason = str(fault) if isinstance(fault, Withheld) else f"{type(fault).__name__} in forming content"
            self._warn_once(reason)
        self._finish(number, attributes or {})

    def _finish(self, number: int, attributes: dict[str, Any]) -> None:
        finish = self._open.pop(number, None)
        if finish is not None:
            finish(attributes)

    def _warn_once(self, reason: str) -> None:
        if reason not in self._warned and len(self._warned) < _MOST:
            self._warned.add(reason)
            warn(f"{reason}: spans that this happens to have no content")


class _Job:
    """The forming of one span's attributes: when the call of the hook that is running began, and what came out."""

    __slots__ = ("is_left", "result", "since")

    def __init__(self) -> None:
        # It counts as a call until there is one: the system may have no thread left for it.
        self.since = time.monotonic()
        self.is_left = False
        self.result: tuple[dict[str, Any] | None, BaseException | None] = (None, None)


class _Running(threading.local):
    """What a thread knows of the job that it does."""

    job = _Job()


class Redaction:
    """The hook, with a limit for each call; used by one thread at a time.

    It is called as the hook itself is; the limit holds within `run`.
    """

    _thread: CallThread | None

    def __init__(self, hook: Redact, guard: Guard, limit: float = _LIMIT, most: int = _MOST_HUNG) -> None:
        self._hook = hook
        self._guard = guard
        self._limit = limit
        self._most = most
        self._running = _Running()
        begin(self._begin)

    def __call__(self, kind: str, text: str) -> str:
        """What the hook returns for a text; raises what it raises."""
        job = self._running.job
        if job.is_left:
            raise Withheld("the span has ended")
        job.since = time.monotonic()
        try:
            return self._hook(kind, text)
        finally:
            job.since = _NEVER

    def run(self, make: MakeAttributes) -> tuple[dict[str, Any] | None, BaseException | None]:
        """Make a span's attributes; returns them, or why there are none: `Withheld` where a call takes too long."""
        if self._left >= self._most:
            return None, Withheld(f"{names.SETTING_REDACT.name} is not called any more: it hung {self._left} times")
        if self._thread is None:
            self._thread = CallThread("ailoop-otel-redaction", self._guard)
        thread, job = self._thread, _Job()
        thread.submit(lambda: self._do(job, make))
        while not thread.wait(max(0.0, min(job.since, time.monotonic()) + self._limit - time.monotonic())):
            if job.since + self._limit <= time.monotonic():
                job.is_left = True
                thread.stop()
                self._thread = None
                self._left += 1
                return None, Withheld(f"{names.SETTING_REDACT.name} took longer than {self._limit:g} s")
        return job.result

    def stop(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None

    def _do(self, job: _Job, make: MakeAttributes) -> None:
        self._running.job = job
        job.result = tried(make)

    def _begin(self) -> None:
        self._thread = None
        self._left = 0
