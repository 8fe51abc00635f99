"""How an exchange ended, by what was seen of it."""

from __future__ import annotations

from typing import Any

import pytest

from ailoop_otel import names
from tests.exchanges import opened
from tests.recorder import Recording


@pytest.fixture
def recording() -> Recording:
    """A new one for each test."""
    return Recording()


# From the first that applies to the last: each is set together with all that come after it.
RANKS: list[tuple[str, dict[str, Any]]] = [
    ("protocol_error", {"code": -32602}),
    ("server_error", {"raised": "ValueError"}),
    ("disconnected", {"left": 1}),
    ("cancelled", {"stopped": True}),
    ("ai_timeout", {"timed_out": True}),
    ("ai_error", {"failed": True}),
    ("cut", {"first": 1, "cut": True}),
]


@pytest.mark.parametrize("rank", range(len(RANKS)), ids=[outcome for outcome, _ in RANKS])
def test_of_several_outcomes_the_first_applies(recording: Recording, rank: int) -> None:
    """A protocol error before an error of the server's, and so on down the list."""
    exchange = opened(recording)
    for _, fields in RANKS[rank:]:
        for field, value in fields.items():
            setattr(exchange, field, value)
    assert exchange.outcome == RANKS[rank][0]


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, "no_answer"),
        ({"first": 1}, "cut"),
        ({"first": 1, "whole": True}, "ok"),
        ({"first": 1, "whole": True, "cut": True}, "cut"),
        ({"command": True}, "ok"),
        ({"whole": True}, "no_answer"),
        ({"code": -32603}, "server_error"),
        ({"code": -32700}, "protocol_error"),
        ({"code": -32600}, "protocol_error"),
        ({"code": -32601}, "protocol_error"),
        ({"code": -32599}, "server_error"),
        ({"timed_out": True, "first": 1, "whole": True}, "ok"),
        ({"timed_out": True, "first": 1, "whole": True, "cut": True}, "ai_timeout"),
        ({"timed_out": True, "first": 1, "whole": True, "failed": True}, "ai_timeout"),
    ],
)
def test_an_outcome_is_what_was_seen(recording: Recording, fields: dict[str, Any], outcome: str) -> None:
    """And nothing else."""
    exchange = opened(recording)
    for field, value in fields.items():
        setattr(exchange, field, value)
    assert exchange.outcome == outcome
    assert outcome in {name.name for name in names.OUTCOMES}


def test_an_error_s_type_is_the_most_that_is_known(recording: Recording) -> None:
    """The HTTP status, else the exception's class, else the outcome."""
    exchange = opened(recording)
    exchange.raised, exchange.error_type = "ValueError", "429"
    exchange.end(recording.clock.time)
    attributes = dict(recording.span("sendUserMessage").attributes or {})
    assert attributes[names.ERROR_TYPE] == "429"
    assert attributes[names.OUTCOME] == "server_error"
