"""The attributes of a span as one line."""

from __future__ import annotations

import pytest

from ailoop_otel import names
from ailoop_otel.recorded.otlp_json import Value
from ailoop_otel.recorded.records import Span
from ailoop_otel.view.attributes import summary

TIMES = (names.TIME_MODEL_WAIT, names.TIME_MODEL_STREAM, names.TIME_TOOLS, names.TIME_SERVER, names.TIME_LOOP_LAG)


def _with(attributes: dict[str, Value], name: str = "x") -> str:
    return summary(Span("ab" * 16, "a", "", name, False, 1, 2, attributes, False, (), names.SCOPE))


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
    line = _with(attributes, "chat openai/gpt-4o")
    assert line == "tokens 1,210 in, 85 out · finish stop · first chunk 300 ms · by openai/gpt-4o-2024 · 17 chunks"
    same = {**attributes, names.GEN_AI_RESPONSE_MODEL: "openai/gpt-4o", names.ERROR_TYPE: "cut"}
    assert _with(same, "chat openai/gpt-4o").startswith("cut · tokens 1,210 in, 85 out · finish stop")


@pytest.mark.parametrize("reasons", [("stop", "length"), '["stop","length"]'])
def test_a_list_reads_the_same_from_files_and_from_a_jaeger(reasons: Value) -> None:
    """Whose API has it as text."""
    assert _with({names.GEN_AI_FINISH_REASONS: reasons}) == "finish stop, length"
