"""The machine and the versions that a run was measured with, so that a comparison shows where they differ."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

from ailoop_otel.version import __version__

_PACKAGES: Final = ("websockets", "hdrhistogram", "numpy", "scipy", "opentelemetry-sdk", "uvloop")
_CPU_LIMIT: Final = Path("/sys/fs/cgroup/cpu.max")
_MEMORY_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
_PROCESSOR: Final = Path("/proc/cpuinfo")


def fingerprint() -> dict[str, Any]:
    """Describe this machine: `processor`, `cores`, `cores_usable`, `memory`, `system`, `kernel`, `architecture`.

    Memory is in bytes; cores and memory respect a container's limits. The same machine gives the same result, which
    holds no host name or address.
    """
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count() or 0,
        "cores_usable": _cores_usable(),
        "memory": _memory(),
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
    }


def versions() -> dict[str, str]:
    """The versions of Python, of this package, and of the libraries that the figures depend on."""
    found = {"ailoop-otel": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _processor() -> str:
    text = _text(_PROCESSOR)
    models = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def _cores_usable() -> float:
    """The cores that this process may use, by CPU affinity and by the container's quota, such as 1.5."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    usable = float(len(affinity(0))) if affinity is not None else float(psutil.cpu_count() or 1)
    quota, _, period = _text(_CPU_LIMIT).strip().partition(" ")
    if quota.isdigit() and period.isdigit() and int(period):
        usable = min(usable, int(quota) / int(period))
    return usable


def _memory() -> int:
    total: int = psutil.virtual_memory().total
    limit = _text(_MEMORY_LIMIT).strip()
    return min(total, int(limit)) if limit.isdigit() else total


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
