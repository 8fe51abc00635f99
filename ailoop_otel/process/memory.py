"""Memory of the process, in bytes."""

from __future__ import annotations

import os
import sys
from typing import Final

import psutil
from opentelemetry.metrics import Observation

_KIBIBYTE: Final = 1024


def observe_memory_usage() -> list[Observation]:
    """Resident memory now, bytes; psutil gives bytes on every platform."""
    # Made anew each time: an object that remembers its pid would show the parent after a fork.
    return [Observation(int(psutil.Process().memory_info().rss))]


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
        with open(path, "rb") as status:
            for line in status:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * _KIBIBYTE
    except OSError:
        return None
    return None


def _peak_of_usage() -> int | None:
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # not there on Windows

    # Bytes on macOS, KiB everywhere else.
    unit = 1 if sys.platform == "darwin" else _KIBIBYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
