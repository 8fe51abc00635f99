"""Something that may never come back, done beside the caller, who waits only so long."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue

from ailoop_otel.guard import Guard

Work = Callable[[], object]


class Errand:
    """One parked daemon thread that does one thing after the other.

    The thread is made beforehand, not when it is needed: some interpreters refuse new threads in `atexit`
    (https://github.com/python/cpython/issues/113964), where it is needed most. Daemon, so that an exporter that
    hangs cannot keep the process from ending.
    """

    def __init__(self, name: str, guard: Guard) -> None:
        self._name = name
        self._guard = guard
        self._ended = False
        self._begin()
        if hasattr(os, "register_at_fork"):
            begin = weakref.WeakMethod(self._begin)
            os.register_at_fork(after_in_child=lambda: (again := begin()) and again())

    @property
    def busy(self) -> bool:
        """Whether something is not done yet."""
        return not self._done.is_set()

    def send(self, work: Work) -> None:
        """Have something done; its faults end in the barrier."""
        self._done = threading.Event()
        self._queue.put((work, self._done))

    def wait(self, timeout: float) -> bool:
        """Wait for what was sent last, `timeout` seconds at most; says whether it is done."""
        return self._done.wait(max(0.0, timeout))

    def end(self) -> None:
        """Let the thread go when it is done with what it has."""
        self._ended = True
        self._queue.put(None)

    def _begin(self) -> None:
        self._queue: SimpleQueue[tuple[Work, threading.Event] | None] = SimpleQueue()
        self._done = threading.Event()
        self._done.set()
        if self._ended:
            return
        with self._guard:
            threading.Thread(target=_run, args=(self._queue, self._guard), name=self._name, daemon=True).start()


def _run(queue: SimpleQueue[tuple[Work, threading.Event] | None], guard: Guard) -> None:
    while (errand := queue.get()) is not None:
        work, done = errand
        try:
            with guard:
                work()
        finally:
            done.set()
