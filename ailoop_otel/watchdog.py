"""Deadlines: a thread of its own notices an AI that has gone silent, also while the event loop is blocked."""

from __future__ import annotations

import heapq
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Final

from ailoop_otel.exchange import Deadlines, Exchange, Timeout
from ailoop_otel.settings import Settings
from ailoop_otel.telemetry import SECOND, Telemetry

_NEVER: Final = 1 << 62
# So many may wait unsorted; most of them have ended by the time they are looked at.
_INBOX: Final = 1024
# Weak, so that an exchange that has ended is freed at once and not when its deadline comes up.
Watched = weakref.ref[Exchange]
Entry = tuple[int, int, Watched]


class Watchdog:
    """Watches open exchanges. `watch` is O(log n) in the watchdog's thread and takes no lock in the caller's.

    A chunk costs nothing here: the heap keeps the deadline that was known last, and an exchange that showed life
    since is put back with its new one when the old one comes up.
    """

    def __init__(
        self, telemetry: Telemetry, wait: Callable[[threading.Event, float | None], object] | None = None
    ) -> None:
        self._telemetry = telemetry
        self.deadlines = deadlines_of(telemetry.settings)
        self._wait = wait or threading.Event.wait
        self._inbox: deque[Watched] = deque()
        self._heap: list[Entry] = []
        self._order = count()
        self._wakes_at = 0
        self._bell = threading.Event()
        self._stopped = True
        self._thread: threading.Thread | None = None
        self._pid = 0

    def start(self) -> None:
        """Start the thread; again in a forked child, where threads do not come along."""
        if not self._stopped and self._pid == os.getpid():
            return
        self._stopped = False
        self._pid = os.getpid()
        self._bell = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ailoop-otel-watchdog", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Stop the thread and wait for it, `timeout` seconds at most."""
        self._stopped = True
        self._bell.set()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join(timeout)
        self._heap.clear()
        self._inbox.clear()

    def watch(self, exchange: Exchange) -> None:
        """Watch an exchange whose turn has come, or whose first chunk brought a nearer deadline, until it ends."""
        due = exchange.due(self.deadlines)
        if due is None:
            return
        if self._pid != os.getpid():
            self.start()
        self._inbox.append(weakref.ref(exchange))
        if due[0] < self._wakes_at or len(self._inbox) > _INBOX:
            self._bell.set()

    def silent(self) -> int:
        """How many exchanges have been silent for more than half of what is allowed, now."""
        now = self._telemetry.clock.now()
        deadlines = self.deadlines
        silent = 0
        watched = [entry[2] for entry in list(self._heap)] + list(self._inbox)
        for exchange in {reference() for reference in watched}:
            if exchange is None or exchange.ended:
                continue
            allowed = deadlines.stall if exchange.chunks else deadlines.first_chunk
            since = exchange.last if exchange.chunks else exchange.turn
            if allowed and now - since > allowed // 2:
                silent += 1
        return silent

    def check(self) -> int:
        """Notice and tell all that is due; returns the next deadline (monotonic nanoseconds)."""
        heap = self._heap
        while self._inbox:
            self._push(self._inbox.popleft())
        noticed: list[tuple[Exchange, Timeout]] = []
        while heap and heap[0][0] <= (now := self._telemetry.clock.now()):
            _, number, watched = heapq.heappop(heap)
            exchange = watched()
            if exchange is None or exchange.alarm != number:
                continue
            due = exchange.due(self.deadlines)
            if due is not None and due[0] <= now:
                allowed = getattr(self.deadlines, due[1])
                noticed.append((exchange, exchange.notice(due[1], allowed, due[0], now)))
            self._push(watched)
        # First notice all, then tell: telling takes longer, and many may be due at once.
        for exchange, timeout in noticed:
            with self._telemetry.guard:
                exchange.tell(timeout)
        return heap[0][0] if heap else _NEVER

    def _push(self, watched: Watched) -> None:
        exchange = watched()
        due = exchange.due(self.deadlines) if exchange is not None else None
        if exchange is not None and due is not None:
            exchange.alarm = next(self._order)
            heapq.heappush(self._heap, (due[0], exchange.alarm, watched))

    def _run(self) -> None:
        bell = self._bell
        while not self._stopped and bell is self._bell:
            self._wakes_at = 0
            bell.clear()
            upcoming = _NEVER
            with self._telemetry.guard:
                upcoming = self.check()
            self._wakes_at = upcoming
            # What came in between the check and the line above rang no bell: look once more.
            if self._inbox:
                continue
            rest = (upcoming - self._telemetry.clock.now()) / SECOND
            self._wait(bell, max(0.0, rest) if upcoming < _NEVER else None)


def deadlines_of(settings: Settings) -> Deadlines:
    """The deadlines that the settings say, in nanoseconds."""
    return Deadlines(int(settings.first_chunk * SECOND), int(settings.stall * SECOND), int(settings.total * SECOND))
