"""A folder of telemetry files, seen from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ailoop_otel.export.notices import DirectoryWarnings
from ailoop_otel.export.rotation import Bounds, RotatingFile


class Wall:
    """A clock that is set by hand, seconds since the epoch."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """The time."""
        return self.now


def rotating(
    directory: Path,
    wall: Callable[[], float] = time.time,
    warnings: DirectoryWarnings | None = None,
    max_file: float = 1e6,
    max_total: float = 1e8,
    max_age: float = 1e6,
) -> RotatingFile:
    """A file of traces with bounds that no test meets by chance; sizes in bytes, age in seconds."""
    bounds = Bounds(str(directory), max_file, max_total, max_age)
    return RotatingFile("traces", bounds, wall, warnings or DirectoryWarnings())


def files(directory: Path) -> list[Path]:
    """What is in a folder, in the order in which it was opened."""
    return sorted(directory.iterdir(), key=lambda path: int(path.stem.rsplit("-", 1)[1]))
