"""The report's files in a directory; each is written completely or not at all."""

from __future__ import annotations

import json
from pathlib import Path

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.report import html, junit, markdown, summary_json
from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.report.plots import plots, vega
from ailoop_otel.measure.report.plots.load_curve import CURVE
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.results.whole_file import whole_file
from ailoop_otel.measure.verdict.verdict import Judgement

JSON, MARKDOWN, HTML, JUNIT = "summary.json", "summary.md", "report.html", "junit.xml"


def write(run: Run, directory: Path, judgement: Judgement | None) -> None:
    """Write the four files, and the pictures of a load curve; raises Refusal if the directory cannot be written."""
    report = build_report(run, judgement)
    drawn = plots(report)
    texts: dict[str, str | bytes] = {
        JSON: json.dumps(summary_json.document(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        MARKDOWN: markdown.render(report),
        JUNIT: junit.render(judgement, report.context),
        HTML: html.render(report, drawn),
    }
    for plot in drawn:
        if plot.name == CURVE:
            texts[f"{CURVE}.svg"], texts[f"{CURVE}.png"] = vega.pictures(plot)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with whole_file(directory / name) as draft:
                # JSON can contain a lone surrogate, which UTF-8 cannot encode.
                draft.write_bytes(text if isinstance(text, bytes) else text.encode(errors="replace"))
    except OSError as error:
        raise Refusal(f"{directory} cannot hold a report: {error.strerror}; give another directory") from error
