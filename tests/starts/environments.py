"""One environment for each group of cells, made from its locked requirements and kept under `.starts`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".starts"
_PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet", "install")


class Unavailable(Exception):
    """An environment that cannot be had; the message says why."""


def python(requirements: str, interpreter: str) -> Path:
    """The Python of an environment with `requirements/start-….txt`, made if it is not there.

    `interpreter` is a command like `python3.12`. Raises Unavailable.
    """
    base = shutil.which(interpreter)
    if base is None:
        raise Unavailable(f"{interpreter} is not on this machine")
    try:
        return _made(requirements, interpreter, base)
    except subprocess.CalledProcessError as fault:
        lines = (fault.stderr or fault.stdout or "").strip().splitlines()
        raise Unavailable(lines[-1] if lines else str(fault)) from None


def _made(requirements: str, interpreter: str, base: str) -> Path:
    locked = ROOT / "requirements" / f"start-{requirements}.txt"
    version = run(base, "-c", "import sys; print(sys.version)")
    wanted = hashlib.sha256(locked.read_bytes() + version.encode()).hexdigest()
    folder = HOME / f"{requirements}-{interpreter}"
    made = folder / "bin" / "python"
    mark = folder / "made-from"
    if not mark.exists() or mark.read_text() != wanted:
        run(base, "-m", "venv", "--clear", str(folder))
        run(str(made), *_PIP, "--require-hashes", "-r", str(locked))
        mark.write_text(wanted)
    return made


def version(made: Path, package: str) -> str:
    """The version of a package in an environment."""
    return run(str(made), "-c", f"from importlib.metadata import version; print(version({package!r}))").strip()


def run(*command: str) -> str:
    """What a command prints; CalledProcessError with what it said if it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
