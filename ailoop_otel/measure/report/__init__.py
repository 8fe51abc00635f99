"""The report of a run: `summary.json`, `summary.md`, `junit.xml`, `report.html`, and the summary in a terminal.

All five are rendered from one `Report` (see `contents`), so that a figure cannot differ between them. How to add a plot
is described in `plots`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ailoop_otel.measure.results.run import Run
    from ailoop_otel.measure.verdict.verdict import Judgement


def write(run: Run, directory: str | Path, judgement: Judgement | None = None) -> None:
    """Write `summary.json`, `summary.md`, `junit.xml` and `report.html` into a directory, which is created if need be.

    Raises Refusal for a metric that has no definition, an observation in another unit than the definition's, and a
    directory that cannot be written.
    """
    # The drawing libraries take a second to import, and the pytest plugin imports this package in every run.
    from ailoop_otel.measure.report.files import write as write_files

    write_files(run, Path(directory), judgement)


def show(run: Run, console: Console, judgement: Judgement | None = None) -> None:
    """Print the summary: figures, failures, verdict; in a GitHub workflow also the annotations.

    Raises Refusal as `write` does.
    """
    from ailoop_otel.measure.report.annotations import annotate
    from ailoop_otel.measure.report.contents import build_report
    from ailoop_otel.measure.report.terminal import show as show_report

    show_report(build_report(run, judgement), console)
    annotate(judgement)
