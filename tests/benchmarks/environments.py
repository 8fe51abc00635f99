"""One environment for each contender, made once from its locked requirements and kept under `.bench`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = ROOT / ".bench"
OURS = "ailoop"
_PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


class Unavailable(Exception):
    """An environment that could not be made; the message says why."""


class Environments:
    """Pythons by name; `say` tells what takes time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._made: dict[str, Path | str] = {}
        self._wheel: Path | None = None

    def python(self, name: str) -> Path:
        """The Python that has the contender's packages; raises Unavailable, each time with the same reason."""
        if name not in self._made:
            try:
                self._made[name] = self._make(name)
            except subprocess.CalledProcessError as fault:
                lines = (fault.stderr or fault.stdout or "").strip().splitlines()
                self._made[name] = lines[-1] if lines else str(fault)
        made = self._made[name]
        if isinstance(made, str):
            raise Unavailable(f"{name} could not be installed: {made}")
        return made

    def empty(self, name: str) -> Path:
        """The Python of an environment that has nothing at all."""
        folder = HOME / name
        python = folder / "bin" / "python"
        if not python.exists():
            _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
        return python

    def _make(self, name: str) -> Path:
        folder = HOME / name
        python = folder / "bin" / "python"
        locked = ROOT / "requirements" / f"bench-{name}.txt"
        mark = folder / "made-from"
        wanted = hashlib.sha256(locked.read_bytes() + sys.version.encode()).hexdigest()
        if not mark.exists() or mark.read_text() != wanted:
            self._say(f"environment of {name}: installing")
            _run(sys.executable, "-m", "venv", "--clear", str(folder))
            _run(str(python), *_PIP, "install", "--require-hashes", "-r", str(locked))
            mark.write_text(wanted)
        if name == OURS:
            self.install(python)
        return python

    def install(self, python: Path | str, *, needs: bool = False) -> None:
        """Install the package as its users do, in place of what there is of it; with what it needs where asked.

        It is built once: all rows measure the same code, whatever is written meanwhile.
        """
        self._wheel = self._wheel or _build()
        pip = (sys.executable, *_PIP, "--python", str(python), "install")
        if needs:
            _run(*pip, str(self._wheel))
        _run(*pip, "--force-reinstall", "--no-deps", str(self._wheel))


def _build() -> Path:
    folder = HOME / "wheel"
    for old in folder.glob("*.whl"):
        old.unlink()
    _run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


def versions(python: Path | str) -> dict[str, str]:
    """The packages of an environment and their versions."""
    code = "from importlib.metadata import distributions as d; print(*sorted({x.name+'='+x.version for x in d()}))"
    return dict(pair.split("=", 1) for pair in _run(str(python), "-c", code).split())


def plain_variables() -> dict[str, str]:
    """This process's environment without what configures any contender."""
    settings = ("OTEL_", "AILOOP_", "DD_", "LOGFIRE_", "PYTHON")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    return {name: value for name, value in inherited.items() if not name.lower().endswith("_proxy")}


def _run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.stdout
