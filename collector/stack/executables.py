"""The executables: Jaeger, built from its Go module and cached, and the Prometheus of the system."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.progress import track

COLLECTOR = Path(__file__).parent.parent
MODULE = COLLECTOR / "jaeger"
PACKAGE = "github.com/jaegertracing/jaeger/cmd/jaeger"
Printer = Callable[[str], None]
# The approximate number of packages of a first build, for the progress bar only.
_PACKAGES: Final = 2300


class MissingProgram(Exception):
    """A program that is not installed; the text says how to install it."""


def jaeger(notify: Printer = print) -> Path:
    """The path of Jaeger: that in JAEGER_BINARY, or one that is built once and cached for all checkouts.

    Raises MissingProgram if Go is not installed or the build fails.
    """
    named = os.environ.get("JAEGER_BINARY")
    if named:
        if not os.access(named, os.X_OK):
            raise MissingProgram(f"JAEGER_BINARY={named} is no program; unset it to have Jaeger built")
        return Path(named)
    kept = _cache() / f"jaeger-{_version()}"
    if not kept.exists():
        _build(kept, notify)
    return kept


def prometheus() -> Path:
    """The path of Prometheus: that in PROMETHEUS_BINARY, or the installed one. Raises MissingProgram."""
    found = os.environ.get("PROMETHEUS_BINARY") or shutil.which("prometheus")
    if found is None or not os.access(found, os.X_OK):
        raise MissingProgram("Prometheus is not installed: apt-get install prometheus, or name it in PROMETHEUS_BINARY")
    return Path(found)


def has_prometheus() -> bool:
    """Whether Prometheus is installed."""
    try:
        prometheus()
    except MissingProgram:
        return False
    return True


def _build(target: Path, notify: Printer) -> None:
    go = shutil.which("go")
    if go is None:
        raise MissingProgram(
            "Jaeger is built with Go 1.25 or newer, which is not installed: https://go.dev/doc/install"
        )
    notify("Building Jaeger from its Go module: some minutes the first time, seconds later on.")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two builds at the same time must not see each other's incomplete file.
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    # -mod=readonly: only what go.sum pins is built. -v: a line for each package, for the progress bar.
    command = [go, "build", "-v", "-mod=readonly", "-ldflags=-s -w", "-o", str(partial), PACKAGE]
    with subprocess.Popen(command, cwd=MODULE, text=True, stderr=subprocess.PIPE) as building:
        assert building.stderr is not None
        lines = track(building.stderr, "Packages", total=_PACKAGES, transient=True, disable=not sys.stdout.isatty())
        output = list(lines)
    if building.returncode:
        partial.unlink(missing_ok=True)
        raise MissingProgram(f"Jaeger could not be built: {''.join(output[-15:])}")
    partial.rename(target)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ailoop-otel"


def _version() -> str:
    """A hash of the Go module and the platform, which changes with either."""
    parts = [(MODULE / name).read_bytes() for name in ("go.mod", "go.sum")]
    parts.append(f"{platform.system()} {platform.machine()}".encode())
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:12]
