"""The tree of a trace, its bars and what is read beside them."""

from __future__ import annotations

from datetime import timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ailoop_otel import names
from ailoop_otel.recorded.otlp_json import Value
from ailoop_otel.recorded.records import Span
from ailoop_otel.view import theme, waterfall
from ailoop_otel.view.exchanges import Exchange
from ailoop_otel.view.waterfall import attribute_summary
from tests.view.conftest import console_of, written_on

SECOND = 10**9
TIMES = (names.TIME_MODEL_WAIT, names.TIME_MODEL_STREAM, names.TIME_TOOLS, names.TIME_SERVER, names.TIME_LOOP_LAG)
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


def _with(attributes: dict[str, Value], name: str = "x") -> str:
    return attribute_summary(_span("a", name=name, attributes=attributes))


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


def test_details_have_their_units() -> None:
    """Seconds, counts and texts, the error first, without what the name contains."""
    attributes: dict[str, Value] = {
        names.SESSION_ID: "s-1",
        names.STREAM_CHUNKS: 17,
        names.STREAM_MAX_GAP: 0.08,
        names.STREAM_SIZE: 12_345,
        "gen_ai.request.model": "gpt-4o",
        names.ERROR_TYPE: "500",
    }
    assert _with(attributes) == "500 · 17 chunks · max gap 80 ms · streamed 12,345 characters · gpt-4o"
    assert _with(attributes, "chat gpt-4o").endswith("streamed 12,345 characters")
    assert _with({names.OUTCOME: "cut", names.ERROR_TYPE: "cut"}) == ""


def test_details_of_any_kind_are_readable() -> None:
    """Flags, arrays, plain numbers, and the beginning of a long text, which comes last."""
    attributes: dict[str, Value] = {
        "gen_ai.input.messages": "x" * 100,
        names.TIMEOUT_RECOVERED: True,
        "gen_ai.response.finish_reasons": ("stop", "length"),
        "a.ratio": 0.5,
        "a.count": 1234,
    }
    assert (
        _with(attributes)
        == "finish stop, length · recovered yes · ratio 0.5 · count 1,234 · messages " + "x" * 47 + "…"
    )


def test_the_time_breakdown_is_not_among_the_attributes() -> None:
    """It has a line of its own."""
    attributes = dict.fromkeys((*TIMES, names.BLOCKED_TIME), 1.0)
    assert _with({**attributes, names.BLOCKED_BY: "x", names.MESSAGE_SIZE: 3}) == "message 3 characters"


def test_only_an_agents_further_rounds_are_reported() -> None:
    """One is what every message has."""
    assert _with({names.AGENT_ROUNDS: 1}) == ""
    assert _with({names.AGENT_ROUNDS: 2}) == "rounds 2"


def test_what_was_used_is_reported_in_short() -> None:
    """Of a model call or of a whole message: parts where there are any, and whether the cost is computed."""
    used: dict[str, Value] = {names.USAGE_INPUT: 1210, names.USAGE_CACHE_READ: 900, names.USAGE_OUTPUT: 85}
    cost: dict[str, Value] = {names.COST: 0.0125, names.COST_CURRENCY: "USD", names.COST_SOURCE: names.PROVIDER}
    assert _with(used | cost | {names.USAGE_REASONING: 0}) == "tokens 1,210 in (900 cached), 85 out, $0.0125"
    assert _with(cost | {names.COST_SOURCE: names.COMPUTED}) == "$0.0125 computed"


def test_a_model_call_is_reported_in_short() -> None:
    """The error first, then tokens; what the name contains and what is of little use is left out."""
    attributes: dict[str, Value] = {
        names.GEN_AI_OPERATION: "chat",
        names.GEN_AI_REQUEST_MODEL: "openai/gpt-4o",
        names.GEN_AI_RESPONSE_MODEL: "openai/gpt-4o-2024",
        names.GEN_AI_RESPONSE_ID: "gen-1",
        names.GEN_AI_STREAM: True,
        names.GEN_AI_INPUT_TOKENS: 1210,
        names.GEN_AI_OUTPUT_TOKENS: 85,
        names.GEN_AI_FINISH_REASONS: ("stop",),
        names.GEN_AI_FIRST_CHUNK: 0.3,
        names.HTTP_STATUS: 200,
        names.MODEL_CHUNKS: 17,
        names.MODEL_BYTES: 4321,
    }
    summary = _with(attributes, "chat openai/gpt-4o")
    assert summary == "tokens 1,210 in, 85 out · finish stop · first chunk 300 ms · by openai/gpt-4o-2024 · 17 chunks"
    same = {**attributes, names.GEN_AI_RESPONSE_MODEL: "openai/gpt-4o", names.ERROR_TYPE: "cut"}
    assert _with(same, "chat openai/gpt-4o").startswith("cut · tokens 1,210 in, 85 out · finish stop")


@pytest.mark.parametrize("reasons", [("stop", "length"), '["stop","length"]'])
def test_a_list_reads_the_same_from_files_and_from_a_jaeger(reasons: Value) -> None:
    """Whose API has it as text."""
    assert _with({names.GEN_AI_FINISH_REASONS: reasons}) == "finish stop, length"
