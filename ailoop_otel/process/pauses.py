"""What holds the server up: how late its event loop runs what is due, and how long garbage collections stop it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Final

from ailoop_otel.guard import Guard
from ailoop_otel.unpatched import time

INTERVAL: Final = 0.25  # seconds


class LoopLag:
    """A timer on an event loop every `INTERVAL`: `record` gets by how many seconds each beat came late."""

    def __init__(self, record: Callable[[float], None], guard: Guard) -> None:
        self._record = record
        self._guard = guard
        self._turn: object | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to beat on `loop`, in whose thread this must be called; a loop before it gets no more beats."""
        self._turn = turn = object()
        self._arm(loop, turn)

    def stop(self) -> None:
        """Beat no more; from any thread."""
        # A timer may only be cancelled in its own loop's thread: the one that is armed fires and does nothing.
        self._turn = None

    def _arm(self, loop: asyncio.AbstractEventLoop, turn: object) -> None:
        planned = loop.time() + INTERVAL
        # A context of its own: the one that is current at the start may hold a request's span.
        loop.call_at(planned, self._beat, loop, turn, planned, context=Context())

    def _beat(self, loop: asyncio.AbstractEventLoop, turn: object, planned: float) -> None:
        if turn is not self._turn:
            return
        try:
            with self._guard:
                # A loop fires up to its clock's resolution early.
                self._record(max(0.0, loop.time() - planned))
        finally:
            self._arm(loop, turn)


class CollectionPauses:
    """Calls `record` with the nanoseconds of each garbage collection but those of the youngest generation.

    Those are many and short, to time them would cost more than they do; each of the others stops all threads.
    """

    def __init__(self, record: Callable[[int], None]) -> None:
        self._record = record
        self._began = 0

    def start(self) -> None:
        """Begin to observe: https://docs.python.org/3/library/gc.html#gc.callbacks."""
        gc.callbacks.append(self._observe)

    def stop(self) -> None:
        """Observe no more; from any thread, and more than once."""
        with suppress(ValueError):
            gc.callbacks.remove(self._observe)

    def _observe(self, phase: str, info: dict[str, int]) -> None:
        if not info["generation"]:
            return
        now = time.monotonic_ns()
        if phase == "start":
            self._began = now
        elif self._began:
            self._record(now - self._began)
            self._began = 0
