"""The pictures are what the commands show of the recording."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.ailoop.process import STATELESS, standin
from tests.docs import report_picture
from tests.docs.pages import DOCS, ROOT
from tests.docs.pictures import PICTURES, drawn


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_its_command_shows(name: str) -> None:
    """`make docs` was run after the last change."""
    picture = (DOCS / name).read_text(encoding="utf-8")
    assert picture == drawn(PICTURES[name])
    assert str(ROOT) not in picture


def test_the_first_picture_shows_all_that_a_trace_has() -> None:
    """A newcomer sees an agent, a model call and a timeout."""
    picture = (ROOT / "docs" / "trace.svg").read_text(encoding="utf-8")
    for name in ("sendUserMessage", "ailoop.first_chunk", "invoke_agent", "ailoop.ai_timeout", "tokens"):
        assert name in picture


@pytest.mark.timeout(180)
@pytest.mark.skipif(
    os.environ.get("CI") != "true" and shutil.which("chromium") is None, reason="needs chromium (Debian's package)"
)
def test_the_picture_of_a_report_can_be_drawn(tmp_path: Path) -> None:
    """By the command that drew the one that is committed, of a short run."""
    picture = tmp_path / "report.png"
    report_picture.draw(report_picture.measured(tmp_path, standin(STATELESS), 3), picture, "/usr/bin/chromium")
    assert picture.stat().st_size > 20_000
