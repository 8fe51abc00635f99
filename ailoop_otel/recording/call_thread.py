"""A thread for calls of other code that may never return, such as an exporter's flush; the caller waits in bounds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from ailoop_otel.fork import begin
from ailoop_otel.guard import Guard

Work = Callable[[], object]


class CallThread:
    """One daemon thread that makes the calls that it is given, one after the other.

    The thread is made beforehand, not when it is needed: some interpreters refuse new threads in `atexit`
    (https://github.com/python/cpython/issues/113964), where it is needed most. Daemon, so that an exporter that
    hangs cannot keep the process from ending.
    """

    def __init__(self, name: str, guard: Guard) -> None:
        self._name = name
        self._guard = guard
        self._stopped = False
        begin(self._start)

    @property
    def busy(self) -> bool:
        """Whether a call is not done yet."""
        return not self._done.is_set()

    def submit(self, work: Work) -> None:
        """Enqueue a call; the barrier catches its faults."""
        self._done = threading.Event()
        self._queue.put((work, self._done))

    def wait(self, timeout: float) -> bool:
        """Wait for the last call that was submitted, `timeout` seconds at most; returns whether it is done."""
        return self._done.wait(max(0.0, timeout))

    def stop(self) -> None:
        """End the thread after the calls that it has."""
        self._stopped = True
        self._queue.put(None)

    def _start(self) -> None:
        self._queue: SimpleQueue[tuple[Work, threading.Event] | None] = SimpleQueue()
        self._done = threading.Event()
        self._done.set()
        if self._stopped:
            return
        with self._guard:
            threading.Thread(target=_run, args=(self._queue, self._guard), name=self._name, daemon=True).start()


def _run(queue: SimpleQueue[tuple[Work, threading.Event] | None], guard: Guard) -> None:
    while _next(queue, guard):
        pass


# A function of its own: it keeps no reference to the last call's arguments while the queue is empty.
def _next(queue: SimpleQueue[tuple[Work, threading.Event] | None], guard: Guard) -> bool:
    entry = queue.get()
    if entry is None:
        return False
    work, done = entry
    try:
        guard.run(work)
    finally:
        done.set()
    return True
