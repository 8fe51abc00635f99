"""Calls the user's redaction hook where it can do no harm: on a thread that is left behind when a call does not return.

A hook that holds the interpreter's lock all the time, as a regular expression that backtracks without end does, stops
the whole process: against that no thread helps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from ailoop_otel import names
from ailoop_otel.fork import begin_anew
from ailoop_otel.guard import Guard, tried
from ailoop_otel.recording.call_thread import CallThread
from ailoop_otel.server.content.attribute import Redact, Withheld
from ailoop_otel.unpatched import time

# How long one call of the hook may take, seconds.
LIMIT: Final = 5.0
# After so many calls that took longer, each of which keeps a thread, the hook is not called any more.
MOST: Final = 3
_NEVER: Final = float("inf")

MakeAttributes = Callable[[], dict[str, Any]]


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

    def __init__(self, hook: Redact, guard: Guard, limit: float = LIMIT, most: int = MOST) -> None:
        self._hook = hook
        self._guard = guard
        self._limit = limit
        self._most = most
        self._running = _Running()
        self._begin()
        begin_anew(self._begin)

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
