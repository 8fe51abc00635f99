"""Metrics of the process, one function each; sampled when they are collected, and at most once a second.

A new metric is a row in `names/metrics.py`, a function here, and a row in `_SAMPLES`.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from opentelemetry.metrics import CallbackOptions, Observation

from ailoop_otel import names
from ailoop_otel.fork import begin
from ailoop_otel.guard import Guard
from ailoop_otel.names import Metric
from ailoop_otel.unpatched import os, time

Sample = Callable[[], Sequence[Observation]]
Callback = Callable[[CallbackOptions], Iterable[Observation]]

_SHORTEST_INTERVAL: Final = 1.0  # seconds
_KIBIBYTE: Final = 1024
_MOST_READ: Final = 65_536  # bytes; a file in /proc is some 1,500
_CPU_MODE: Final = names.METRIC_CPU_TIME.labels[0]
_GENERATION: Final = names.METRIC_GC_COLLECTIONS.labels[0]


# --- Memory ----------------------------------------------------------------------------------------------------
def observe_memory_usage(proc: str = "/proc") -> list[Observation]:
    """Resident memory now, bytes."""
    try:
        # https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html
        return [Observation(int(_read(f"{proc}/self/statm").split()[1]) * os.sysconf("SC_PAGE_SIZE"))]
    except OSError:
        return [Observation(int(_process().memory_info().rss))]


def observe_memory_peak(proc: str = "/proc", pid: int | None = None) -> list[Observation]:
    """The most resident memory the process ever had, bytes."""
    peak = _peak_of_status(f"{proc}/{os.getpid() if pid is None else pid}/status")
    if peak is None:
        peak = _peak_of_usage()
    return [] if peak is None else [Observation(peak)]


def _peak_of_status(path: str) -> int | None:
    """Linux's `VmHWM`, which the kernel writes as `kB` and counts in KiB.

    `getrusage` would do, but its maximum is inherited over fork and exec: a small server started by a big
    process would show its parent's peak (https://man7.org/linux/man-pages/man2/getrusage.2.html).
    """
    try:
        lines = _read(path).splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * _KIBIBYTE for line in lines if line.startswith(b"VmHWM:")), None)


def _read(path: str) -> bytes:
    # Not by `open`, which tests of the server replace.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, _MOST_READ)
    finally:
        os.close(descriptor)


def _peak_of_usage() -> int | None:
    if sys.platform == "win32":
        return int(_process().memory_info().peak_wset)
    import resource  # not there on Windows

    # Bytes on macOS, KiB everywhere else.
    unit = 1 if sys.platform == "darwin" else _KIBIBYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# --- CPU time and descriptors ----------------------------------------------------------------------------------
def observe_cpu_time() -> list[Observation]:
    """CPU seconds since the process began, by mode; without its children, which have numbers of their own."""
    times = os.times()
    return [Observation(times.user, {_CPU_MODE: "user"}), Observation(times.system, {_CPU_MODE: "system"})]


def observe_descriptors(proc: str = "/proc", pid: int | None = None) -> list[Observation]:
    """How many file descriptors are open; nothing on Windows, whose handles are something else."""
    own = pid is None or pid == os.getpid()
    try:
        listed = len(os.listdir(f"{proc}/{os.getpid() if pid is None else pid}/fd"))
    except OSError:
        return _descriptors_of_psutil() if own else []
    # Listing one's own descriptors opens one, which is closed again when the number is read.
    return [Observation(listed - 1 if own else listed)]


def _descriptors_of_psutil() -> list[Observation]:
    process = _process()
    return [Observation(process.num_fds())] if hasattr(process, "num_fds") else []


def _process() -> Any:
    # Imported where there is no /proc: it takes a megabyte. Made anew each time: an object that remembers its pid would
    # show the parent after a fork.
    import psutil

    return psutil.Process()


# --- Garbage collection, by generation (an int, as in the semantic conventions) --------------------------------
def observe_collector(field: str) -> list[Observation]:
    """One of Python's counts since the process began: collections, objects that they freed, and could not free."""
    return [Observation(generation[field], {_GENERATION: number}) for number, generation in enumerate(gc.get_stats())]


# --- When they are sampled -------------------------------------------------------------------------------------
_SAMPLES: Final[tuple[tuple[Metric, Sample], ...]] = (
    (names.METRIC_MEMORY_USAGE, observe_memory_usage),
    (names.METRIC_MEMORY_PEAK, observe_memory_peak),
    (names.METRIC_CPU_TIME, observe_cpu_time),
    (names.METRIC_DESCRIPTORS, observe_descriptors),
    (names.METRIC_GC_COLLECTIONS, partial(observe_collector, "collections")),
    (names.METRIC_GC_COLLECTED, partial(observe_collector, "collected")),
    (names.METRIC_GC_UNCOLLECTABLE, partial(observe_collector, "uncollectable")),
)


class ProcessMetrics:
    """Pairs of metric and callback. Callbacks never raise, and return nothing after `stop()`.

    OpenTelemetry cannot remove a callback, so that is all that can be done.
    """

    def __init__(
        self,
        guard: Guard,
        samples: Iterable[tuple[Metric, Sample]] = _SAMPLES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guard = guard
        self._clock = clock
        self._stopped = False
        self._pairs = tuple((metric, self._callback(sample)) for metric, sample in samples)
        begin(self._begin)

    def __iter__(self) -> Iterator[tuple[Metric, Callback]]:
        return iter(self._pairs)

    def stop(self) -> None:
        """Make every callback return nothing from now on."""
        self._stopped = True

    def _begin(self) -> None:
        self._known: dict[Sample, tuple[float, Sequence[Observation]]] = {}

    def _callback(self, sample: Sample) -> Callback:
        def callback(_options: CallbackOptions) -> Sequence[Observation]:
            if self._stopped:
                return ()
            now = self._clock()
            taken_at, known = self._known.get(sample, (float("-inf"), ()))
            if now - taken_at >= _SHORTEST_INTERVAL:
                # Nothing where it fails: that leaves a gap, not the old value for ever.
                known = ()
                with self._guard:
                    known = tuple(sample())
                self._known[sample] = (now, known)
            return known

        return callback
