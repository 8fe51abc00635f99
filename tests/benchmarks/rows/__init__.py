"""The rows of the table: a row is a file here with `NUMBER`, `NAME`, `TITLE`, and `run`, which measures."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, Protocol

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Result


class Row(Protocol):
    """A module of this package."""

    NUMBER: int
    NAME: str
    TITLE: str

    def run(self, bench: Bench, result: Result) -> None:
        """Measure, and put into the result what came out."""


def rows() -> list[Row]:
    """All of them, in order."""
    found: list[Any] = [
        importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
    ]
    return sorted(found, key=lambda row: row.NUMBER)
