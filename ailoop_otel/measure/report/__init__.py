"""The report of a run: `summary.json`, `summary.md`, `junit.xml`, `report.html`, and the summary in a terminal.

All five are rendered from one `Report` (see `contents`), so that a figure cannot differ between them. How to add a plot
is described in `plots`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ailoop_otel.measure.results.whole_file import whole_file

if TYPE_CHECKING:
    from rich.console import Console

    from ailoop_otel.measure.results.run import Run
    from ailoop_otel.measure.verdict.verdict import Judgement

JUNIT: Final = "junit.xml"


def write(run: Run, directory: str | Path, judgement: Judgement | None = None) -> None:
    """Write the four files, and the pictures of a load curve, into a directory, which is created if need be.

    Raises Refusal for a metric that has no definition, an observation in another unit than the definition's, and a
    directory that cannot be written.
    """
    # The drawing libraries take a second to import, and the pytest plugin imports this package in every run.
    from ailoop_otel.measure.report import ci, html, markdown, summary_json
    from ailoop_otel.measure.report.contents import build_report
    from ailoop_otel.measure.report.plots import plots, vega
    from ailoop_otel.measure.report.plots.load_curve import CURVE

    report = build_report(run, judgement)
    drawn = plots(report)
    summary = json.dumps(summary_json.document(report), indent=1, ensure_ascii=False, allow_nan=False)
    texts: dict[str, str | bytes] = {
        "summary.json": f"{summary}\n",
        "summary.md": markdown.render(report),
        JUNIT: ci.junit(judgement, report.context),
        "report.html": html.render(report, drawn),
    }
    for plot in drawn:
        if plot.name == CURVE:
            texts[f"{CURVE}.svg"], texts[f"{CURVE}.png"] = vega.pictures(plot)
    for name, text in texts.items():
        with whole_file(Path(directory) / name) as draft:
            # JSON can contain a lone surrogate, which UTF-8 cannot encode.
            draft.write_bytes(text if isinstance(text, bytes) else text.encode(errors="replace"))


def show(run: Run, console: Console, judgement: Judgement | None = None) -> None:
    """Print the summary: figures, failures, verdict; in a GitHub workflow also the annotations.

    Raises Refusal for a run that `write` refuses.
    """
    from ailoop_otel.measure.report import ci, terminal
    from ailoop_otel.measure.report.contents import build_report

    terminal.show(build_report(run, judgement), console)
    ci.annotate(judgement)
