"""The pictures are what the commands show of the recording."""

from __future__ import annotations

import pytest

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
