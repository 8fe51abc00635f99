"""Where an exchange's time went."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ailoop_otel import names
from ailoop_otel.recorded.records import Span
from ailoop_otel.recorded.values import Value
from ailoop_otel.view.details import details
from ailoop_otel.view.spent import Spent, spent

TIMES = (names.TIME_MODEL_WAIT, names.TIME_MODEL_STREAM, names.TIME_TOOLS, names.TIME_SERVER, names.TIME_LOOP_LAG)


def _span(attributes: Mapping[str, Value], name: str = "sendUserMessage") -> Span:
    return Span("ab" * 16, "a", "", name, True, 1, 2, attributes, False, (), names.SCOPE)


def _spent(*seconds: float) -> Spent:
    found = spent(_span(dict(zip(TIMES, seconds, strict=True))))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("seconds", "culprit"),
    [
        ((0.3, 0.1, 0.2, 0.014, 0.002), "model"),
        ((0.1, 0.1, 1.01, 0.014, 1.0), "tools"),
        ((0.0, 0.0, 0.0, 0.2, 0.01), "server"),
        ((0.3, 0.1, 0.0, 1.0, 0.9), "lag"),
        ((1.5, 0.1, 0.0, 0.1, 1.2), "lag"),
        ((0.0, 0.0, 0.0, 0.0, 0.0), ""),
    ],
)
def test_the_culprit_is_what_took_most(seconds: tuple[float, ...], culprit: str) -> None:
    """A late event loop makes everything look slow but the tool of one's own that blocks it."""
    assert _spent(*seconds).culprit == culprit


def test_the_parts_are_told_in_words() -> None:
    """Those that are next to nothing are left out."""
    attributes: dict[str, Value] = {
        **dict(zip(TIMES, (0.3, 0.1, 1.01, 0.014, 0.002), strict=True)),
        names.BLOCKED_BY: "execute_command",
        names.BLOCKED_TIME: 1.01,
    }
    told = spent(_span(attributes))
    assert told is not None
    assert list(told.words()) == [
        "model 300 ms waiting + 100 ms streaming",
        "tools 1.01 s",
        "server 14 ms",
        "loop late 2.0 ms",
        "frozen 1.01 s by execute_command",
    ]
    assert list(_spent(0.3, 0, 0, 0.0001, 0).words()) == ["model 300 ms waiting"]


def test_an_exchange_that_was_seen_from_outside_only_tells_nothing() -> None:
    """Nor do times that are no numbers."""
    assert spent(_span({names.MESSAGE_SIZE: 3})) is None
    assert spent(_span({names.TIME_LOOP_LAG: 3.0})) is None
    broken = spent(_span(dict.fromkeys(TIMES, "soon")))
    assert broken is not None
    assert (broken.culprit, list(broken.words())) == ("", [])


def test_the_details_leave_it_to_its_own_line() -> None:
    """So that nothing is told twice."""
    attributes = dict.fromkeys((*TIMES, names.BLOCKED_TIME), 1.0)
    assert details(_span({**attributes, names.BLOCKED_BY: "x", names.MESSAGE_SIZE: 3})) == "message 3 characters"


def test_only_an_agents_further_rounds_are_told() -> None:
    """One is what every message has."""
    assert details(_span({names.AGENT_ROUNDS: 1})) == ""
    assert details(_span({names.AGENT_ROUNDS: 2})) == "rounds 2"


def test_a_model_call_is_told_in_short() -> None:
    """The error first, then tokens; what the name says already, and what nobody asks, is left out."""
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
    told = details(_span(attributes, "chat openai/gpt-4o"))
    assert told == "tokens 1,210 in, 85 out · finish stop · first chunk 300 ms · by openai/gpt-4o-2024 · 17 chunks"
    same = {**attributes, names.GEN_AI_RESPONSE_MODEL: "openai/gpt-4o", names.ERROR_TYPE: "cut"}
    assert details(_span(same, "chat openai/gpt-4o")).startswith("cut · tokens 1,210 in, 85 out · finish stop")
