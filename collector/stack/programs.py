"""The programs: Jaeger built from its Go module and kept, Prometheus as the system has it."""

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
Say = Callable[[str], None]
# About so many packages are compiled the first time: for the progress bar, nothing depends on it.
_PACKAGES: Final = 2300


class Missing(Exception):
    """A program that is not there; the message says how to get it."""


def jaeger(say: Say = print) -> Path:
    """The Jaeger program; JAEGER_BINARY names one, otherwise it is built once and kept for every checkout.

    Raises Missing where there is no Go to build it with, or the build fails.
    """
    named = os.environ.get("JAEGER_BINARY")
    if named:
        if not os.access(named, os.X_OK):
            raise Missing(f"JAEGER_BINARY={named} is no program; unset it to have Jaeger built")
        return Path(named)
    kept = _cache() / f"jaeger-{_version()}"
    if not kept.exists():
        _build(kept, say)
    return kept


def prometheus() -> Path:
    """The Prometheus program; PROMETHEUS_BINARY names one. Raises Missing where there is none."""
    found = os.environ.get("PROMETHEUS_BINARY") or shutil.which("prometheus")
    if found is None or not os.access(found, os.X_OK):
        raise Missing("Prometheus is not installed: apt-get install prometheus, or name it in PROMETHEUS_BINARY")
    return Path(found)


def has_prometheus() -> bool:
    """Whether there is a Prometheus."""
    try:
        prometheus()
    except Missing:
        return False
    return True


def _build(target: Path, say: Say) -> None:
    go = shutil.which("go")
    if go is None:
        raise Missing("Jaeger is built with Go 1.25 or newer, which is not installed: https://go.dev/doc/install")
    say("Building Jaeger from its Go module: some minutes the first time, seconds later on.")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two builds at once must not see each other's halves.
    half = target.with_name(f"{target.name}.{os.getpid()}")
    # -mod=readonly: what is built is what go.sum says, or nothing. -v: a line for each package, to show how far it is.
    command = [go, "build", "-v", "-mod=readonly", "-ldflags=-s -w", "-o", str(half), PACKAGE]
    with subprocess.Popen(command, cwd=MODULE, text=True, stderr=subprocess.PIPE) as building:
        assert building.stderr is not None
        lines = track(building.stderr, "Packages", total=_PACKAGES, transient=True, disable=not sys.stdout.isatty())
        said = list(lines)
    if building.returncode:
        half.unlink(missing_ok=True)
        raise Missing(f"Jaeger could not be built: {''.join(said[-15:])}")
    half.rename(target)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ailoop-otel"


def _version() -> str:
    """Another module, another toolchain or another kind of machine is another program."""
    parts = [(MODULE / name).read_bytes() for name in ("go.mod", "go.sum")]
    parts.append(f"{platform.system()} {platform.machine()}".encode())
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:12]
