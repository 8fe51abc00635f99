"""Open file descriptors of the process."""

from __future__ import annotations

import os

import psutil
from opentelemetry.metrics import Observation


def observe_descriptors(proc: str = "/proc", pid: int | None = None) -> list[Observation]:
    """How many file descriptors are open; nothing on Windows, whose handles are another thing."""
    own = pid is None or pid == os.getpid()
    try:
        listed = len(os.listdir(f"{proc}/{os.getpid() if pid is None else pid}/fd"))
    except OSError:
        return _observe_elsewhere() if own else []
    # Listing one's own descriptors takes one, which is gone again when the number is read.
    return [Observation(listed - 1 if own else listed)]


def _observe_elsewhere() -> list[Observation]:
    process = psutil.Process()
    return [Observation(process.num_fds())] if hasattr(process, "num_fds") else []
