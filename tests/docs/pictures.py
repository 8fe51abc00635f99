"""The pictures of the documentation: what commands print of the recording, as SVG."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.docs.pages import DOCS
from tests.docs.record import RECORDING

# By file: the arguments of `ailoop-otel`.
PICTURES: Final = {
    "trace.svg": ("traces", "--trace", "e3d02140"),
    "overview.svg": ("traces", "--limit", "12", "--waterfall", "0"),
    "explain.svg": ("explain", "b5a46cad"),
}
_TERMINAL: Final = {"TZ": "UTC", "COLUMNS": "110", "FORCE_COLOR": "1", "TERM": "xterm-256color"}


def drawn(arguments: tuple[str, ...]) -> str:
    """What a command shows, as SVG."""
    with TemporaryDirectory() as folder:
        shutil.copytree(RECORDING, Path(folder) / "ailoop-telemetry")
        file = Path(folder) / "picture.svg"
        subprocess.run(
            [sys.executable, "-m", "ailoop_otel.cli", *arguments, "--svg", file.name],
            cwd=folder,
            env={**os.environ, **_TERMINAL},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return "".join(f"{line.rstrip()}\n" for line in file.read_text(encoding="utf-8").split("\n"))


def draw() -> None:
    """Write them all."""
    for name, arguments in PICTURES.items():
        (DOCS / name).write_text(drawn(arguments), encoding="utf-8")
