"""The executables: Jaeger and a collector of contrib components, built from Go modules, and the system's Prometheus."""

from __future__ import annotations

import hashlib
import os
import platform
import re
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
_CONTRIB: Final = COLLECTOR / "scale" / "collector"
# The approximate number of packages of a first build, for the progress bar only.
_PACKAGES: Final = 2300


class MissingProgram(Exception):
    """A program that is not installed; the text says how to install it."""


def jaeger(notify: Printer = print) -> Path:
    """The path of Jaeger: that in JAEGER_BINARY, or one that is built once and cached for all checkouts.

    Raises MissingProgram if Go is not installed or the build fails.
    """
    return _built("Jaeger", MODULE, PACKAGE, notify)


def contrib(notify: Printer = print) -> Path:
    """The path of a collector that has a persistent queue: that in CONTRIB_BINARY, or one that is built and cached.

    Raises MissingProgram if Go is not installed or the build fails.
    """
    return _built("Contrib", _CONTRIB, ".", notify)


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


def _built(name: str, module: Path, package: str, notify: Printer) -> Path:
    """The program that a variable such as JAEGER_BINARY names, or the one that is built from a Go module."""
    variable = f"{name.upper()}_BINARY"
    named = os.environ.get(variable)
    if named:
        if not os.access(named, os.X_OK):
            raise MissingProgram(f"{variable}={named} is no program; unset it to have {name} built")
        return Path(named)
    kept = cache() / f"{name.lower()}-{_version(module)}"
    if not kept.exists():
        _build(name, module, package, kept, notify)
    return kept


def _build(name: str, module: Path, package: str, target: Path, notify: Printer) -> None:
    go = shutil.which("go")
    if go is None:
        version = re.findall(r"^go (\d+\.\d+)", (module / "go.mod").read_text(), re.MULTILINE)[0]
        raise MissingProgram(
            f"{name} is built with Go {version} or newer, which is not installed: https://go.dev/doc/install"
        )
    notify(f"Building {name} from its Go module: some minutes the first time, seconds later on.")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two builds at the same time must not see each other's incomplete file.
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    # -mod=readonly: only what go.sum pins is built. -v: a line for each package, for the progress bar.
    command = [go, "build", "-v", "-mod=readonly", "-ldflags=-s -w", "-o", str(partial), package]
    with subprocess.Popen(command, cwd=module, text=True, stderr=subprocess.PIPE) as building:
        assert building.stderr is not None
        lines = track(building.stderr, "Packages", total=_PACKAGES, transient=True, disable=not sys.stdout.isatty())
        output = list(lines)
    if building.returncode:
        partial.unlink(missing_ok=True)
        raise MissingProgram(f"{name} could not be built: {''.join(output[-15:])}")
    partial.rename(target)


def cache() -> Path:
    """The folder in which programs are kept, for all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ailoop-otel"


def _version(module: Path) -> str:
    """A hash of a Go module and the platform, which changes with either."""
    files = [path for pattern in ("go.mod", "go.sum", "*.go") for path in sorted(module.glob(pattern))]
    parts = [path.read_bytes() for path in files]
    parts.append(f"{platform.system()} {platform.machine()}".encode())
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:12]
