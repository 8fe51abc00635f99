"""How long garbage collections held the process: each of the older generations stops all threads while it runs."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress

from ailoop_otel.unpatched import time


class CollectionPauses:
    """Calls `record` with the nanoseconds of each garbage collection but those of the youngest generation.

    Those are many and short: to time them would cost more than they do.
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
