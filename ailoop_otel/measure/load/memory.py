"""Memory and CPU of the server, read by its process id: the process with all its children."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import psutil

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Observation, Phase, observed

INTERVAL: Final = 0.5


class Tree:
    """A process and its children; raises Refusal where there is none, or where it may not be read."""

    def __init__(self, pid: int) -> None:
        self._gone = 0.0  # CPU time of children that have ended
        self._times: dict[int, float] = {}
        try:
            self._root = psutil.Process(pid)
            self._root.memory_info()
        except psutil.NoSuchProcess:
            raise Refusal(f"there is no process {pid}; give the server's own process id by --pid") from None
        except psutil.AccessDenied:
            raise Refusal(f"process {pid} is another user's; measure as the user that runs the server") from None

    def read(self) -> tuple[int, float] | None:
        """Resident memory in bytes and CPU time in seconds so far; None when the process is gone."""
        memory, times = 0, dict[int, float]()
        try:
            members = [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return None
        for member in members:
            found = _usage(member)
            if found is None and member is self._root:
                return None
            if found is not None:
                memory += found[0]
                times[member.pid] = found[1]
        self._gone += sum(spent for pid, spent in self._times.items() if pid not in times)
        self._times = times
        return memory, self._gone + sum(times.values())


def _usage(member: Any) -> tuple[int, float] | None:
    try:
        if member.status() == psutil.STATUS_ZOMBIE:
            return None
        times = member.cpu_times()
        return member.memory_info().rss, times.user + times.system
    except psutil.Error:
        return None


class Sampler:
    """Reads twice a second, in a thread of its own, what `state` and the server's processes say.

    `state` gives the phase, the sessions connected and the sessions opened so far. `by_opened` pairs the latter with
    the memory, outside the warm-up.
    """

    def __init__(self, origin: float, state: Callable[[], tuple[Phase, int, int]], pid: int | None) -> None:
        self._origin = origin
        self._state = state
        self._tree = Tree(pid) if pid is not None else None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ailoop-otel-sampler", daemon=True)
        self._before: tuple[float, float] | None = None
        self.observations: list[Observation] = []
        self.by_opened: list[tuple[int, int]] = []
        self.lost = False
        """Whether the server's process ended while it was watched."""

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.perf_counter()
        while not self._stopped.is_set():
            self._sample()
            due = max(due + INTERVAL, time.perf_counter())
            self._stopped.wait(due - time.perf_counter())

    def _sample(self) -> None:
        phase, connected, opened = self._state()
        read = self._tree.read() if self._tree is not None else None
        now = time.perf_counter()
        at = now - self._origin
        self.observations.append(observed(definitions.SESSIONS, float(connected), at, phase=phase))
        if read is None:
            self.lost = self.lost or self._tree is not None
            return
        memory, used = read
        self.observations.append(observed(definitions.MEMORY, float(memory), at, phase=phase))
        if self._before is not None and now > self._before[0]:
            share = (used - self._before[1]) / (now - self._before[0])
            self.observations.append(observed(definitions.CPU, max(0.0, share), at, phase=phase))
        self._before = (now, used)
        if phase != "warmup":
            self.by_opened.append((opened, memory))
