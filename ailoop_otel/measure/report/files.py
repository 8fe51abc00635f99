"""The report's files in a directory; each is written completely or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.report import html, junit, markdown, summary_json
from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict.verdict import Judgement

JSON, MARKDOWN, HTML, JUNIT = "summary.json", "summary.md", "report.html", "junit.xml"


def write(run: Run, directory: Path, judgement: Judgement | None) -> None:
    """Write the four files; raises Refusal if the directory cannot be written."""
    report = build_report(run, judgement)
    texts = {
        JSON: json.dumps(summary_json.document(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        MARKDOWN: markdown.render(report),
        JUNIT: junit.render(judgement, report.context),
        HTML: html.render(report),
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _write_file(directory / name, text)
    except OSError as error:
        raise Refusal(f"{directory} cannot hold a report: {error.strerror}; give another directory") from error


def _write_file(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # JSON can contain a lone surrogate, which UTF-8 cannot encode.
        draft.write_text(text, encoding="utf-8", errors="replace")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
