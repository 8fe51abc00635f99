"""The command blocks of the pages on measuring, apart from the others, so that both can be run at the same time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.test_commands import MEASURING, run


@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("page", MEASURING, ids=lambda path: path.name)
def test_the_commands_of_a_page_do_what_it_shows(page: Path, tmp_path: Path) -> None:
    """Their exit codes, and what they print."""
    run(page, tmp_path)
