"""The report of a run: `summary.json`, `summary.md`, `report.html`, and the summary in a terminal.

All four are written from one digest, so that a figure cannot differ between them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ailoop_otel.measure.results.run import Run
    from ailoop_otel.measure.verdict.verdict import Judgement


def write(run: Run, directory: str | Path, judgement: Judgement | None = None) -> None:
    """Write `summary.json`, `summary.md` and `report.html` into a directory, which is made if it is not there.

    Refusal for a metric that is not in the table of definitions or has another unit there, and where the directory
    cannot be written.
    """
    # Drawing libraries take a second to import, and a pytest plugin imports this in every run.
    from ailoop_otel.measure.report.files import write as write_files

    write_files(run, Path(directory), judgement)


def show(run: Run, console: Console, judgement: Judgement | None = None) -> None:
    """Print the summary: figures, errors, verdict."""
    from ailoop_otel.measure.report.digest import digest
    from ailoop_otel.measure.report.terminal import show as show_digest

    show_digest(digest(run, judgement), console)
