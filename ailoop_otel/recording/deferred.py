"""Work that can wait: enqueued where the server runs, done in batches by a thread of its own.

The server waits neither for what other people's log processors do, nor for a lock of the SDK: a generator of the
server's that is dropped ends a model call wherever Python happens to collect garbage, which may be inside that lock.
In CPU it saves nothing that can be measured.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from ailoop_otel.fork import begin
from ailoop_otel.guard import Guard
from ailoop_otel.unpatched import time

# How long work is collected before it is done, seconds.
PAUSE: Final = 0.25
# How many calls may wait; what comes then is done at once.
MOST: Final = 4096
# How long a caller who wants all of it done waits for another thread that is doing it, seconds.
SETTLE_TIMEOUT: Final = 1.0
# Work may defer more work, and that again.
_DEPTH: Final = 3


class DeferredWork:
    """A queue of calls, done in their order. The thread sleeps until something is enqueued."""

    _awake: bool

    def __init__(
        self,
        guard: Guard,
        pause: float = PAUSE,
        most: int = MOST,
        is_waited_for: Callable[[], bool] | None = None,
    ) -> None:
        self._guard = guard
        self._pause = pause
        self._most = most
        # Asked after each call: whether another thread wants to run that must not wait.
        self._is_waited_for = is_waited_for
        self._closed = False
        # What a parent has enqueued is the parent's to do, and its thread does not come along.
        begin(self._begin)

    def __len__(self) -> int:
        return len(self._entries)

    def defer(self, record: Callable[..., object], *arguments: Any) -> None:
        """Enqueue a call for the thread, which makes it inside the barrier within about `pause` seconds."""
        if self._closed or len(self._entries) >= self._most:
            record(*arguments)
            return
        self._entries.append((record, arguments))
        if not self._awake:
            if self._thread is None and not self._start():
                self.settle()
                return
            self._awake = True
            self._wake.set()

    def settle(self, timeout: float = SETTLE_TIMEOUT) -> bool:
        """Do all that was enqueued so far, within `timeout` seconds; returns whether it is done.

        No longer, as the caller may hold what the thread that is doing it waits for.
        """
        deadline = time.monotonic() + timeout
        if not self._lock.acquire(timeout=max(0.0, timeout)):
            return False
        try:
            # Not until none is left: while others enqueue more that might be never.
            return all([self._do(len(self._entries), deadline) for _ in range(_DEPTH)])
        finally:
            self._lock.release()

    def close(self) -> None:
        """As `settle`; what comes from now on is done at once."""
        self._closed = True
        self._stop.set()
        self._wake.set()
        self.settle()

    def _do(self, count: int, deadline: float) -> bool:
        entries = self._entries
        while count and entries and time.monotonic() < deadline:
            count -= 1
            record, arguments = entries.popleft()
            # Not the barrier as a context: a cancellation that somebody's processor raises would pass.
            self._guard.run(self._do_one, record, arguments)
        return not (count and entries)

    def _do_one(self, record: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        record(*arguments)
        if self._is_waited_for is not None and self._is_waited_for():
            # Gives the interpreter's lock away, which another thread else gets every 5 ms only.
            time.sleep(0)

    def _begin(self) -> None:
        self._entries: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._awake = False

    def _start(self) -> bool:
        thread = threading.Thread(target=self._run, name="ailoop-otel-deferred", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The system has no thread left; there may be one next time.
            return False
        self._thread = thread
        return True

    def _run(self) -> None:
        wake, stop = self._wake, self._stop
        while not stop.is_set():
            wake.wait()
            wake.clear()
            stop.wait(self._pause)
            # In this order: what is enqueued while the rest is done wakes the thread again.
            self._awake = False
            while self._entries and not stop.is_set():
                self.settle()
