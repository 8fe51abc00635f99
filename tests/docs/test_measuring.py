"""The command blocks of the page on measuring, apart from the other pages, and the picture of the report they make."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.docs import report_picture
from tests.docs.test_commands import MEASURING, run

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where they were run: their exit codes are those of the page, and so is what they print."""
    folder = tmp_path_factory.mktemp("measuring")
    run(MEASURING, folder)
    return folder


def test_the_commands_of_the_page_do_what_it_shows(folder: Path) -> None:
    """And leave the report of a load test, and that of a recording."""
    assert len(list(folder.rglob("report.html"))) >= 2


@pytest.mark.skipif(
    os.environ.get("CI") != "true" and shutil.which("chromium") is None, reason="needs chromium (Debian's package)"
)
def test_the_picture_of_a_report_can_be_drawn(folder: Path, tmp_path: Path) -> None:
    """As the one that is committed was drawn, of a short run."""
    picture = tmp_path / "report.png"
    report_picture.draw(next((folder / "before").rglob("report.html")), picture, "/usr/bin/chromium")
    assert picture.stat().st_size > 20_000
