"""Deadlines: a thread of its own notices an AI that has gone silent, also while the event loop is blocked."""

from __future__ import annotations

import heapq
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from ailoop_otel.fork import begin
from ailoop_otel.recording.deferred import DeferredWork
from ailoop_otel.recording.telemetry import SECOND, Telemetry
from ailoop_otel.settings import Settings

if TYPE_CHECKING:
    from ailoop_otel.tracking.exchange import Exchange

FIRST_CHUNK: Final = "first_chunk"
STALL: Final = "stall"
TOTAL: Final = "total"
NEVER: Final = 1 << 62  # later than any deadline, nanoseconds
# So many may wait unsorted; most of them have ended by the time they are looked at.
_INBOX: Final = 1024
# From so many entries on, those of exchanges that have ended are cleared away.
_TIDY: Final = 4096
# After a fault of our own the next look is so far away, seconds.
_AFTER_FAULT: Final = 1.0


@dataclass(frozen=True)
class Deadlines:
    """How long the AI may stay silent, nanoseconds; 0 is for ever."""

    first_chunk: int
    stall: int
    total: int

    @classmethod
    def of(cls, settings: Settings) -> Deadlines:
        """The deadlines that the settings say, which are in seconds."""
        return cls(*(int(seconds * SECOND) for seconds in (settings.first_chunk, settings.stall, settings.total)))


class Timeout(NamedTuple):
    """A silence beyond its deadline: `since` the last sign of life, `due` and `noticed` in monotonic nanoseconds."""

    phase: str
    allowed: int
    since: int
    due: int
    noticed: int


# As long a thread keeps the interpreter's lock that another one asks for (`sys.getswitchinterval`), nanoseconds.
_SWITCH_INTERVAL: Final = 5_000_000

# Weak, so that an exchange that has ended is freed at once and not when its deadline comes up.
Watched = weakref.ref["Exchange"]
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
        self.deadlines = Deadlines.of(telemetry.settings)
        self._wait = wait or threading.Event.wait
        self._order = count()
        begin(self._begin)

    def _begin(self) -> None:
        # A forked child has no thread, and what its parent watches the parent records.
        self._inbox: deque[Watched] = deque()
        self._heap: list[Entry] = []
        self._unrecorded: deque[tuple[Exchange, Timeout, Watched]] = deque()
        # Recording goes through other people's processors, which may hang: a thread beside this one does it.
        self._recorder: DeferredWork | None = None
        self._most = _TIDY
        self._wakes_at = 0
        self._bell = threading.Event()
        self._is_new = True  # the thread starts with the first that is watched
        self._stopped = True
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        if not self._stopped:
            return
        self._is_new = self._stopped = False
        self._bell = threading.Event()
        self._recorder = DeferredWork(self._telemetry.guard, 0.0, NEVER, self._is_due_soon)
        self._thread = threading.Thread(target=self._run, name="ailoop-otel-watchdog", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The machine has no thread left: with the next that is watched it is tried again.
            self._is_new = self._stopped = True
            raise

    def stop(self, timeout: float = 1.0) -> None:
        """Stop the thread and wait for it, `timeout` seconds at most, and record what it noticed."""
        self._stopped = True
        if self._thread is not None:
            self._bell.set()
            self._thread.join(timeout)
            if self._recorder is not None:
                self._recorder.close()
        self._heap.clear()
        self._inbox.clear()

    def watch(self, exchange: Exchange) -> None:
        """Watch an exchange whose turn has come, or whose first chunk brought a nearer deadline, until it ends."""
        due = exchange.due(self.deadlines)
        # The entry that is there finds out by itself, if it comes up first.
        if due is None or due[0] >= exchange.armed:
            return
        exchange.armed = due[0]
        if self._is_new:
            with self._telemetry.guard:
                self.start()
        self._inbox.append(weakref.ref(exchange))
        if due[0] < self._wakes_at or len(self._inbox) > _INBOX:
            self._bell.set()

    def silent(self) -> int:
        """How many exchanges have been silent for more than half of what is allowed, now."""
        now = self._telemetry.clock.now()
        deadlines = self.deadlines
        silent = 0
        for exchange in self._open():
            if exchange.unread:
                continue
            allowed = deadlines.stall if exchange.chunks else deadlines.first_chunk
            since = exchange.last if exchange.chunks else exchange.turn
            if allowed and now - since > allowed // 2:
                silent += 1
        return silent

    def hanging(self) -> int:
        """How many open exchanges have had an AI timeout, now."""
        return sum(bool(exchange.timeouts) for exchange in self._open())

    def _open(self) -> Iterator[Exchange]:
        watched = [entry[2] for entry in list(self._heap)] + list(self._inbox)
        for exchange in {reference() for reference in watched}:
            if exchange is not None and not exchange.ended:
                yield exchange

    def check(self) -> int:
        """Notice all that is due and record it; returns the next deadline (monotonic nanoseconds).

        Recording takes longer, and many may be due at once: so none is recorded while another waits to be noticed.
        """
        unrecorded = self._unrecorded
        self._notice()
        while unrecorded:
            exchange, timeout, watched = unrecorded.popleft()
            with self._telemetry.guard:
                self._record(exchange, timeout)
            with self._telemetry.guard:
                self._push(watched)
            self._notice()
        heap = self._heap
        if len(heap) > self._most:
            self._tidy()
        return heap[0][0] if heap else NEVER

    def _notice(self) -> None:
        heap, inbox = self._heap, self._inbox
        guard = self._telemetry.guard
        while inbox:
            with guard:
                self._push(inbox.popleft())
        clock = self._telemetry.clock.now
        while heap and heap[0][0] <= (now := clock()):
            _, number, watched = heapq.heappop(heap)
            with guard:
                self._look(watched, number, now)

    def _look(self, watched: Watched, number: int, now: int) -> None:
        exchange = watched()
        if exchange is None or exchange.alarm != number:
            return
        exchange.armed = NEVER
        due = exchange.due(self.deadlines)
        if due is not None and due[0] <= now:
            # What it waits for next is looked at when it is recorded: until then others may be due.
            allowed = getattr(self.deadlines, due[1])
            self._unrecorded.append((exchange, exchange.notice(due[1], allowed, due[0], now), watched))
        else:
            self._push(watched)

    def _record(self, exchange: Exchange, timeout: Timeout) -> None:
        if self._recorder is None:
            exchange.record_timeout(timeout)
        else:
            self._recorder.defer(exchange.record_timeout, timeout)

    def _push(self, watched: Watched) -> None:
        exchange = watched()
        if exchange is None or exchange.ended:
            return
        # In this order: who watches it anew meanwhile has changed it first, and compares then.
        exchange.armed = NEVER
        due = exchange.due(self.deadlines)
        # One that is never due again stays for `silent`.
        exchange.armed = when = due[0] if due is not None else NEVER
        exchange.alarm = number = next(self._order)
        heapq.heappush(self._heap, (when, number, watched))

    def _tidy(self) -> None:
        self._heap[:] = [entry for entry in self._heap if _counts(entry)]
        heapq.heapify(self._heap)
        self._most = max(_TIDY, 2 * len(self._heap))

    def _is_due_soon(self) -> bool:
        # Until then the thread that records would keep the interpreter's lock, or ask for it together with this one.
        return self._wakes_at - self._telemetry.clock.now() < _SWITCH_INTERVAL

    def _run(self) -> None:
        bell = self._bell
        while True:
            bell.clear()
            # Only now: `stop` sets the flag first and rings then.
            if self._stopped or bell is not self._bell:
                return
            self._wakes_at = 0
            rest: float | None = _AFTER_FAULT
            with self._telemetry.guard:
                self._wakes_at = upcoming = self.check()
                # What came in between the check and the line above rang no bell: look once more.
                if self._inbox:
                    continue
                now = self._telemetry.clock.now()
                rest = max(0, upcoming - now) / SECOND if upcoming < NEVER else None
            self._wait(bell, rest)


def _counts(entry: Entry) -> bool:
    exchange = entry[2]()
    return exchange is not None and not exchange.ended and exchange.alarm == entry[1]
