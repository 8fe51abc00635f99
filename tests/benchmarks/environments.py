"""One environment for each contender, made once from its locked requirements and kept under `.bench`."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = ROOT / ".bench"
OURS = "ailoop"
# Packages of a contender's own, by the beginnings of their names.
_TELEMETRY = ("opentelemetry", "ailoop", "logfire", "ddtrace", "protobuf", "googleapis-common-protos")
_PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


class Unavailable(Exception):
    """An environment that could not be made; the message says why."""


class Environments:
    """Pythons by name; `say` tells what takes time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._made: dict[str, Path | str] = {}
        self._wheel: Path | None = None
        self._one_at_a_time = threading.Lock()

    def python(self, name: str) -> Path:
        """The Python that has the contender's packages; raises Unavailable, each time with the same reason."""
        return self._kept(name, lambda: self._make(name))

    def _kept(self, name: str, make: Callable[[], Path]) -> Path:
        if name not in self._made:
            try:
                self._made[name] = make()
            except subprocess.CalledProcessError as fault:
                self._made[name] = why(fault)
        made = self._made[name]
        if isinstance(made, str):
            raise Unavailable(f"{name} could not be installed: {made}")
        return made

    def empty(self, name: str) -> Path:
        """The Python of an environment that has nothing at all."""
        folder = HOME / name
        python = folder / "bin" / "python"
        if not python.exists():
            run(sys.executable, "-m", "venv", "--without-pip", str(folder))
        return python

    def _make(self, name: str) -> Path:
        python = installed(HOME / name, f"bench-{name}", sys.executable, self._say)
        if name == OURS:
            self.install(python)
        return python

    def overlay(self, name: str, base: str) -> Path:
        """A Python that has the contender's packages in front of all that `base` has; nothing is installed there.

        Of what both have, the base's is used, except what belongs to telemetry: the server stays the same server.
        """
        with self._one_at_a_time:
            return self._kept(f"over-{name}", lambda: self._lay_over(name, base))

    def _lay_over(self, name: str, base: str) -> Path:
        folder = HOME / f"over-{name}"
        python = folder / "bin" / "python"
        underneath = _added_paths(base)
        mark = folder / "made-from"
        locked = ROOT / "requirements" / f"bench-{name}.txt"
        wanted = hashlib.sha256(locked.read_bytes() + repr((_version(base), underneath)).encode()).hexdigest()
        if not mark.exists() or mark.read_text() != wanted:
            self._say(f"environment of {name} over the server's: installing")
            run(base, "-m", "venv", "--clear", "--without-pip", str(folder))
            pip = (sys.executable, *_PIP, "--python", str(python))
            run(*pip, "install", "--require-hashes", "-r", str(locked))
            both = _names(python) & _names(base)
            shared = [each for each in both if not each.startswith(_TELEMETRY)]
            if shared:
                run(*pip, "uninstall", "--yes", *shared)
            mark.write_text(wanted)
        place = next(folder.glob("lib*/python*/site-packages")) / "underneath.pth"
        # Last: as long as it is not there, nothing can be uninstalled underneath.
        place.unlink(missing_ok=True)
        if name == OURS:
            self.install(python)
        place.write_text("".join(f"{path}\n" for path in underneath))
        return python

    def install(self, python: Path | str) -> None:
        """Install the package as its users do, in place of what there is of it.

        It is built once: all rows measure the same code, whatever is written meanwhile.
        """
        self._wheel = self._wheel or _build()
        pip = (sys.executable, *_PIP, "--python", str(python), "install")
        run(*pip, "--force-reinstall", "--no-deps", str(self._wheel))


def installed(folder: Path, locked: str, base: str, say: Callable[[str], None] = lambda text: None) -> Path:
    """The Python of an environment in `folder` with requirements/`locked`.txt, made by the Python `base`.

    It is made again when either has changed. Raises CalledProcessError, of which `why` says what it was.
    """
    requirements = ROOT / "requirements" / f"{locked}.txt"
    python, mark = folder / "bin" / "python", folder / "made-from"
    wanted = hashlib.sha256(requirements.read_bytes() + _version(base).encode()).hexdigest()
    if not mark.exists() or mark.read_text() != wanted:
        say(f"environment of {folder.name}: installing")
        run(base, "-m", "venv", "--clear", str(folder))
        run(str(python), *_PIP, "install", "--require-hashes", "-r", str(requirements))
        mark.write_text(wanted)
    return python


def why(fault: subprocess.CalledProcessError) -> str:
    """What a command said last before it failed."""
    lines = (fault.stderr or fault.stdout or "").strip().splitlines()
    return lines[-1] if lines else str(fault)


def _build() -> Path:
    folder = HOME / "wheel"
    for old in folder.glob("*.whl"):
        old.unlink()
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


def _version(python: str) -> str:
    return run(python, "-c", "import sys; print(sys.version)")


def _added_paths(python: str) -> list[str]:
    """Where a Python finds what is installed in it, editable installations' folders included."""
    code = "import sys; print(*sys.path, sep='\\n')"
    own = set(run(python, "-I", "-S", "-c", code).splitlines())
    return [path for path in run(python, "-I", "-c", code).splitlines() if path not in own]


def _names(python: Path | str) -> set[str]:
    """What is installed, by the names under which packages are compared (PEP 503)."""
    return {re.sub(r"[-_.]+", "-", name).lower() for name in versions(python)}


def versions(python: Path | str) -> dict[str, str]:
    """The packages of an environment and their versions: of two, that which is imported."""
    code = "from importlib.metadata import distributions as d; print(*(x.name+'='+x.version for x in reversed([*d()])))"
    return dict(pair.split("=", 1) for pair in run(str(python), "-c", code).split())


def plain_variables() -> dict[str, str]:
    """This process's environment without what configures any contender."""
    settings = ("OTEL_", "AILOOP_", "DD_", "LOGFIRE_", "PYTHON")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    return {name: value for name, value in inherited.items() if not name.lower().endswith("_proxy")}


def run(*command: str) -> str:
    """What a command prints; CalledProcessError with what it said if it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
