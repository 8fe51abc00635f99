"""The measuring client speaks the requests of the dialect that it is given."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.client import session as client
from ailoop_otel.measure.client.conversation import Conversation
from ailoop_otel.measure.client.exchanges import Place, session_start_observation
from ailoop_otel.measure.client.message import Message
from ailoop_otel.measure.client.session import ClientSession, dialect_named
from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.results.observations import ObservationLog
from ailoop_otel.measure.testing.fixture import Stopwatch
from tests.protocol.invented import dialect, parley, registry

UNKNOWN = (
    "parly is no dialect; there are stateless, delegates. Install the package that brings it into this environment, or "
    "write one: docs/dialects.md"
)


def asked(chosen: Any) -> dict[str, Any]:
    """The request that brings a message."""
    sent: list[str] = []
    Conversation(sent.append, chosen).ask(Message(1.0), "s1", "hello", 1.0)
    request: dict[str, Any] = json.loads(sent[0])
    return request


def test_a_message_is_a_request_of_the_dialect() -> None:
    """With its trace context, unless the server does not take one."""
    request = asked(parley().Parley())
    assert request["method"] == "chat.ask"
    assert request["params"].pop("_meta").keys() == {"traceparent"}
    assert request["params"] == {"conversation": "s1", "prompt": "hello"}
    assert "_meta" not in asked(dialect(takes_meta=False)())["params"]
    assert asked(None)["method"] == "sendUserMessage"


async def test_a_server_without_sessions_has_nothing_to_start() -> None:
    """Nor to stop; the connection alone counts, and nothing is observed as refused."""
    session = ClientSession(dialect(start_method="", stop_method="")())
    await session.start()
    assert session.started_at == session.asked_at > 0
    assert session.id == ""
    observation = session_start_observation(session, Place(0.0))
    assert (observation.outcome, math.isnan(observation.value)) == ("ok", True)
    await session.stop()
    assert session.ended_at


def test_a_scenario_names_a_dialect() -> None:
    """AILoop's unless it does."""
    assert scenario.load("mixed").dialect == "stateless"
    assert scenario.load("mixed", ["dialect=delegates"]).dialect == "delegates"
    assert "dialect" in {each.key for each in scenario.known()}


def test_an_unknown_dialect_is_one_line_that_names_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """In scenarios and in tests; one that is broken says why."""
    with pytest.raises(Refusal) as refused:
        scenario.load("mixed", ["dialect=parly"])
    assert str(refused.value) == UNKNOWN
    with pytest.raises(Refusal) as refused:
        Stopwatch(ObservationLog(0.0)).connect("ws://127.0.0.1:9/ws", dialect="parly")
    assert str(refused.value) == UNKNOWN
    monkeypatch.setattr(client, "DIALECTS", registry(ImportError("no such library")))
    with pytest.raises(Refusal, match="'theirs' of ailoop-theirs is not used: ImportError: no such library"):
        dialect_named("theirs")
