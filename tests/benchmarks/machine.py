"""On what a run was made: machine, versions, state of the code."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from tests.benchmarks.environments import HOME, ROOT, versions

_TOLD = ("opentelemetry-sdk", "opentelemetry-instrumentation-asgi", "logfire", "ddtrace")


def machine(when: str) -> dict[str, str]:
    """What the figures depend on, by name."""
    told = {
        "when": when,
        "revision": _git("rev-parse", "--short", "HEAD") + (" and changes" if _git("status", "--porcelain") else ""),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "load before": " ".join(f"{each:.1f}" for each in os.getloadavg()),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
    }
    for folder in sorted(HOME.iterdir() if HOME.exists() else ()):
        python = folder / "bin" / "python"
        if (folder / "made-from").exists():
            told |= {name: version for name, version in versions(python).items() if name in _TOLD}
    return told


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else ()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _git(*command: str) -> str:
    try:
        return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
