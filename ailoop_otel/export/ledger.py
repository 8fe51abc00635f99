"""The account of a process's telemetry: what was lost and why, what was kept on disk, what was sent from there."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

from ailoop_otel.fork import begin

# Why records are lost: the values of a label.
QUEUE_FULL: Final = "queue_full"
FAILED: Final = "export_failed"
UNDELIVERED: Final = "undelivered"
UNENCODABLE: Final = "unencodable"
REFUSED: Final = "refused"
TOO_LARGE: Final = "too_large"
REJECTED: Final = "rejected"
EXPIRED: Final = "expired"


class Ledger:
    """Counts spans, data points and log records by the name of their signal; a forked child begins at zero."""

    def __init__(self) -> None:
        begin(self._begin)

    def lose(self, signal: str, reason: str, count: int) -> None:
        """Note records that will never arrive."""
        self._add(self.lost, (signal, reason), count)

    def keep(self, signal: str, count: int) -> None:
        """Note records that were written to disk instead of being delivered."""
        self._add(self.kept, (signal,), count)

    def send(self, signal: str, count: int) -> None:
        """Note records that were delivered from there."""
        self._add(self.sent, (signal,), count)

    def lost_of(self, signal: str) -> int:
        """How many records of a signal were lost."""
        with self._lock:
            return sum(count for key, count in self.lost.items() if key[0] == signal)

    def totals(self) -> tuple[int, int, int]:
        """How many records were kept, sent from there, and lost."""
        with self._lock:
            return self.kept.total(), self.sent.total(), self.lost.total()

    def _begin(self) -> None:
        self.lost: Counter[tuple[str, ...]] = Counter()
        self.kept: Counter[tuple[str, ...]] = Counter()
        self.sent: Counter[tuple[str, ...]] = Counter()
        # Reentrant: a signal handler may end a span of its own while another is being counted.
        self._lock = threading.RLock()

    def _add(self, counts: Counter[tuple[str, ...]], key: tuple[str, ...], count: int) -> None:
        if count:
            with self._lock:
                counts[key] += count
