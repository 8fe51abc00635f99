"""One environment for each group of cells, made from its locked requirements and kept under `.starts`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.benchmarks.environments import ROOT, Unavailable, installed, run, why

HOME = ROOT / ".starts"


def python(requirements: str, interpreter: str) -> Path:
    """The Python of an environment with `requirements/start-….txt`, made if it is not there.

    `interpreter` is a command like `python3.12`. Raises Unavailable.
    """
    base = shutil.which(interpreter)
    if base is None:
        raise Unavailable(f"{interpreter} is not on this machine")
    try:
        return installed(HOME / f"{requirements}-{interpreter}", f"start-{requirements}", base)
    except subprocess.CalledProcessError as fault:
        raise Unavailable(why(fault)) from None


def version(made: Path, package: str) -> str:
    """The version of a package in an environment."""
    return run(str(made), "-c", f"from importlib.metadata import version; print(version({package!r}))").strip()
