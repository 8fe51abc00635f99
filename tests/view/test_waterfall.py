"""The tree of a trace, its bars and what is read beside them."""

from __future__ import annotations

from datetime import timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ailoop_otel import names
from ailoop_otel.recorded.records import Span
from ailoop_otel.view import theme, waterfall
from ailoop_otel.view.exchanges import Exchange
from tests.view.conftest import console_of, written_on

SECOND = 10**9
SPANS = some.lists(
    some.tuples(some.integers(0, 6), some.integers(0, 6), some.integers(0, 20), some.integers(0, 20)), max_size=8
)


def _span(span_id: str, parent: str = "", start: float = 0, end: float = 1, name: str = "", **changes: object) -> Span:
    attributes = changes.get("attributes", {})
    assert isinstance(attributes, dict)
    return Span(
        trace_id="ab" * 16,
        span_id=span_id,
        parent_id=parent,
        name=name or span_id,
        server=False,
        start=int(start * SECOND) + SECOND,
        end=int(end * SECOND) + SECOND,
        attributes=attributes,
        error=bool(changes.get("error")),
        links=(),
        scope=names.SCOPE,
    )


def _drawn(spans: list[Span], width: int) -> str:
    console = console_of(width)
    console.print(waterfall.waterfall(spans, theme.look(console, timezone.utc, ())))
    return written_on(console)


def test_children_stand_below_their_parent_by_their_start() -> None:
    """However they came."""
    spans = [_span("c", "a", 2), _span("d", "b", 1.5), _span("b", "a", 1), _span("a", "gone")]
    rows = waterfall.tree(spans)
    assert [(row.span.span_id, row.levels) for row in rows] == [
        ("a", ()),
        ("b", (True,)),
        ("d", (True, False)),
        ("c", (False,)),
    ]


def test_circles_and_doubles_are_shown_once() -> None:
    """Parents that name each other, a span that names itself, one that came twice."""
    spans = [_span("a", "b"), _span("b", "a"), _span("c", "c"), _span("c", "c")]
    assert sorted(row.span.span_id for row in waterfall.tree(spans)) == ["a", "b", "c"]


@settings(max_examples=40)
@given(SPANS)
def test_a_tree_shows_every_span_once(members: list[tuple[int, int, int, int]]) -> None:
    """Whatever their parents are."""
    spans = [_span(str(own), str(parent) if parent else "", start, end) for own, parent, start, end in members]
    shown = [row.span.span_id for row in waterfall.tree(spans)]
    assert sorted(shown) == sorted({span.span_id for span in spans})
    if spans:
        assert _drawn(spans, 80)


def test_a_waterfall_of_known_times() -> None:
    """The bars stand where their times are, in half cells, on one scale."""
    spans = [
        _span("root", end=10),
        _span("first", "root", end=2.5),
        _span("second", "root", 2.5, 10, error=True),
        _span("third", "second", 5, 5.01, attributes={"gen_ai.usage.input_tokens": 5}),
    ]
    assert _drawn(spans, 54).splitlines() == [
        "             0                       10.0 s",
        "root         ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   10.0 s",
        "├─ first     ━━━━━━━╸                         2.50 s",
        "└─ second ✗         ╺━━━━━━━━━━━━━━━━━━━━━━   7.50 s",
        "   └─ third                 ╸                  10 ms",
        "         tokens 5 in",
    ]


def test_a_long_trace_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a part is not taken for the whole."""
    monkeypatch.setattr(waterfall, "MOST_ROWS", 3)
    assert _drawn([_span(str(number)) for number in range(5)], 80).endswith("… and 2 spans more")


def test_a_deep_trace_keeps_room_for_its_bars() -> None:
    """No line grows beyond the terminal."""
    spans = [_span(str(number), str(number - 1) if number else "", attributes={"k": "v" * 90}) for number in range(60)]
    assert max(map(len, _drawn(spans, 80).splitlines())) <= 80
    assert max(map(len, _drawn(spans, 120).splitlines())) <= 120


def test_an_exchange_is_cut_out_of_a_clients_trace() -> None:
    """The others of the trace do not belong to it; without a root all that came is shown."""
    spans = [_span("a"), _span("b", "a"), _span("c"), _span("d", "b")]
    exchange = Exchange("ab" * 16, "a", "s", 0, 1)
    assert [span.span_id for span in waterfall.subtree(spans, exchange)] == ["a", "b", "d"]
    exchange.span_id = ""
    assert waterfall.subtree(spans, exchange) == spans
