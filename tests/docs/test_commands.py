"""Every command block of the documentation is run; those that cannot be say why, and the summary counts them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.__main__ import first_line, shown
from tests.docs.pages import DOCS, PAGES, ROOT, Block, blocks
from tests.docs.story import Story

# Puts a load on a server, which takes a third of the time: test_measuring.py runs it.
MEASURING = DOCS / "measuring.md"
RUN = [
    path
    for path in PAGES
    if path != MEASURING and any(not block.reason for block in blocks(path.read_text(encoding="utf-8")))
]
NOT_RUN = [
    pytest.param(block.reason, id=f"{path.relative_to(ROOT)}:{block.line}")
    for path in PAGES
    for block in blocks(path.read_text(encoding="utf-8"))
    if block.reason
]


@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("page", RUN, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_page_do_what_it_shows(page: Path, tmp_path: Path) -> None:
    """Their exit codes, and what they print."""
    run(page, tmp_path)


def run(page: Path, folder: Path) -> None:
    """Run the blocks of a page, and compare."""
    text = page.read_text(encoding="utf-8")
    with Story(text, folder) as story:
        for block in blocks(text):
            if not block.reason:
                code, output = story.run(block)
                assert code == block.code, f"line {block.line}: {block.commands}\n{output}"
                _compare(block, text, output)


def _compare(block: Block, text: str, output: str) -> None:
    if block.output is None:
        return
    expected, found = text[slice(*block.output)], shown(output)
    if block.varies:
        expected, found = first_line(expected), first_line(found)
    assert found == expected, f"line {block.line}: run `make docs`"


@pytest.mark.parametrize("reason", NOT_RUN)
def test_a_block_that_is_not_run_says_why(reason: str) -> None:
    """Shown as skipped, with its reason."""
    assert len(reason) > len("a word")
    pytest.skip(f"not run: {reason}")


@pytest.mark.timeout(120)
def test_the_demo_shows_each_conversation(tmp_path: Path) -> None:
    """As `make demo` runs it, in a folder of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    )
    for word in (
        "a stall in mid-answer",
        "AILoop telemetry",
        "ai_error",
        "cut",
        "disconnected",
        "invoke_agent",
        "chat ",
    ):
        assert word in done.stdout
