"""The report's files in a run's directory; each is there whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.report import markdown, page, summary
from ailoop_otel.measure.report.digest import digest
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict.verdict import Judgement

SUMMARY, MARKDOWN, PAGE = "summary.json", "summary.md", "report.html"


def write(run: Run, directory: Path, judgement: Judgement | None) -> None:
    """Write `summary.json`, `summary.md` and `report.html`; Refusal where that cannot be done."""
    found = digest(run, judgement)
    texts = {
        SUMMARY: json.dumps(summary.document(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        MARKDOWN: markdown.document(found),
        PAGE: page.document(found),
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _put(directory / name, text)
    except OSError as error:
        raise Refusal(f"{directory} cannot hold a report: {error.strerror}; give another directory") from error


def _put(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # A lone surrogate, which JSON can carry, has no place in UTF-8.
        draft.write_text(text, encoding="utf-8", errors="replace")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
