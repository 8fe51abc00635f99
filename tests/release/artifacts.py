"""Builds sdist and wheel from what is committed, and installs a wheel and takes it away again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import venv
from io import BytesIO
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
_OUTPUT: Final = 4_000  # characters


def run(*command: str, cwd: Path = ROOT, **variables: str) -> str:
    """Run a command and return what it printed; raises RuntimeError with that if it fails."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout[-_OUTPUT:]}")
    return done.stdout


def build(folder: Path, commit: str = "HEAD", python: str = sys.executable) -> dict[str, Path]:
    """Build a commit in a new folder, with the commit's time; sdist and wheel by their suffix.

    https://reproducible-builds.org/docs/source-date-epoch/
    """
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    source = folder / "source"
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(source)
    epoch = run("git", "log", "-1", "--format=%ct", commit).strip()
    built = folder / "dist"
    run(python, "-m", "build", "--no-isolation", "--outdir", str(built), cwd=source, SOURCE_DATE_EPOCH=epoch)
    return {path.suffix: path for path in built.iterdir()}


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def environment(folder: Path) -> str:
    """Make an empty environment and return its interpreter."""
    venv.create(folder, with_pip=True, symlinks=True)
    return str(folder / "bin" / "python")


def trace_left(wheel: Path, folder: Path) -> set[str]:
    """Install a wheel without its dependencies, start Python with it switched on, remove it: the files that differ."""
    python = environment(folder)
    before = _files(folder)
    run(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel))
    installed = _files(folder) - before
    if not any(path.endswith("ailoop_otel.pth") for path in installed):
        raise RuntimeError(f"{wheel.name} brought no start-up file")
    run(python, "-c", "import ailoop_otel.settings", AILOOP_OTEL_ENABLED="true")
    run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "ailoop-otel")
    return _files(folder) ^ before


def _files(folder: Path) -> set[str]:
    """All files but what Python compiles of other packages as they are used."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not ("__pycache__" in path.parts and "ailoop" not in str(path.relative_to(folder)))
    }
