"""The matrix finds what is wrong in a cell, and all cells can be tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from ailoop_otel import names
from tests.serving.folder import SERVER, Span
from tests.starts.cells import CELLS
from tests.starts.run import problems

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
BELOW = (names.SPAN_FIRST_CHUNK, names.SPAN_STREAM, "invoke_agent a", "chat model")
SESSION = ("startSession", names.SPAN_SESSION_START, names.SPAN_SESSION)


def _span(name: str, trace: str, **attributes: str) -> Span:
    return Span(name, trace, "1", "", 0.0, 1.0, False, attributes, (), SERVER)


def _whole() -> list[Span]:
    messages = [
        span
        for trace in ("1", "2")
        for span in (
            _span("sendUserMessage", trace, **{names.OUTCOME: "ok"}),
            *(_span(name, trace) for name in BELOW),
        )
    ]
    return messages + [_span(name, "3") for name in SESSION]


def test_what_is_whole_has_no_problem() -> None:
    """Two messages, a session, spans of somebody else's, and an end by the signal."""
    assert problems([*_whole(), _span("GET /", "4")], -15) == []


@pytest.mark.parametrize(
    ("spans", "code", "said"),
    [
        (_whole()[5:], 0, "1 messages of 2"),
        ([*_whole(), _span(names.SPAN_STREAM, "1")], 0, f"2 × {names.SPAN_STREAM}"),
        (_whole()[:-1], 0, f"0 × {names.SPAN_SESSION}"),
        (_whole(), -9, "exit code -9"),
        ([*_whole()[1:], _span("sendUserMessage", "1", **{names.OUTCOME: "cut"})], 0, "a message is cut"),
    ],
)
def test_what_is_missing_or_twice_is_said(spans: list[Span], code: int, said: str) -> None:
    """And how the process ended."""
    assert problems(spans, code) == [said]


def test_each_cell_has_its_requirements() -> None:
    """Locked; and no two have one title."""
    assert len({cell.title for cell in CELLS}) == len(CELLS)
    for cell in CELLS:
        assert (REQUIREMENTS / f"start-{cell.requirements}.txt").exists()
