"""Requests of every shape, and what the server says to them, in both generations."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from ailoop_otel import names
from tests.scripted import SESSION, chunk, compact, reply, request, update
from tests.wire.talk import Talk, acknowledged, answered, delegates, durations, message, refused, stateless, streamed

Open = Callable[..., Awaitable[Talk]]
BOTH = pytest.mark.parametrize("open_", [stateless, delegates])


# --- Messages without an id, and with strange ones --------------------------------------------------------------
async def test_a_message_without_id_is_an_exchange_where_it_is_answered() -> None:
    """The current generation runs it and replies nothing: it is complete when the handler comes back."""
    talk = await stateless()
    await talk.say(message(), 1.0, update("Hi"), 2.0, update("Hi"), 1.0)
    (exchange,) = talk.exchanges()
    assert exchange[names.OUTCOME] == "ok"
    assert exchange[names.TIME_TO_FIRST_CHUNK] == 1.0
    assert names.JSONRPC_ID not in exchange
    assert talk.recording.points("ailoop.exchange.duration")[0].value == 4.0


async def test_a_message_without_id_and_without_answer_is_no_answer() -> None:
    """The handler came back, and nothing had been streamed."""
    talk = await stateless()
    await talk.say(message(), 1.0)
    assert talk.outcomes() == ["no_answer"]


async def test_a_message_without_id_is_no_exchange_where_it_is_ignored() -> None:
    """The earlier generation drops it: a plain call, over when the server asks for the next."""
    talk = await delegates()
    await talk.say(message())
    assert talk.exchanges() == []
    assert len(talk.calls("sendUserMessage")) == 1
    assert talk.server.state.exchanges == set()


async def test_the_first_message_of_a_socket_may_have_no_id() -> None:
    """How its server speaks is known from the session, which another socket started."""
    first = await stateless()
    talk = await stateless(None, first.server)
    await talk.say(message(), update("Hi"), update("Hi"))
    assert talk.outcomes() == ["ok"]


@pytest.mark.parametrize("method", ["echo", "startSession", "stopSession", "made.up"])
@BOTH
async def test_another_call_without_id_is_a_plain_span(open_: Open, method: str) -> None:
    """Nobody replies to it, and it starts and stops nothing."""
    talk = await open_()
    await talk.say(request(method, None, sessionId=SESSION))
    name = method if method != "made.up" else names.OTHER
    spans = [span for span in talk.recording.spans(name) if names.JSONRPC_ID not in (span.attributes or {})]
    assert len(spans) == 1
    assert spans[0].status.status_code is StatusCode.UNSET
    assert talk.recording.total("ailoop.session.active") == 1


async def test_a_stop_without_id_stops_nothing() -> None:
    """The earlier generation ignores it, so the answer that is streaming goes on."""
    talk = await delegates()
    await talk.say(message(2), acknowledged(2), chunk("a"))
    await talk.say(request("stopSession", None, sessionId=SESSION))
    await talk.elsewhere(chunk("b"), chunk("b", final=True))
    assert talk.outcomes() == ["ok"]


@pytest.mark.parametrize(
    "request_id", [None, 0, 1, 1.0, 1.5, True, False, "", "x", {}, {"a": [1]}, [], [None], -1, 10**30, float("nan")]
)
@pytest.mark.parametrize("open_", [stateless, delegates])
async def test_an_id_may_be_any_json(open_: Open, request_id: Any) -> None:
    """The reply finds its request by it, null included."""
    talk = await open_()
    frame = json.loads(message(0)) | {"id": request_id}
    if open_ is stateless:
        await talk.say(json.dumps(frame), *streamed(request_id, "Hi"))
    else:
        await talk.say(json.dumps(frame), acknowledged(request_id), chunk("Hi"), chunk("Hi", final=True))
    assert talk.outcomes() == ["ok"]
    assert [point.count for point in durations(talk, "sendUserMessage")] == [1]


@BOTH
async def test_ids_that_python_holds_equal_are_not(open_: Open) -> None:
    """JSON's 1, 1.0 and true are three ids."""
    talk = await open_()
    await talk.say(request("echo", True))
    await talk.say(request("echo", 1.0))
    await talk.say(request("echo", 1), reply(1, "x"))
    assert talk.calls("echo") == [talk.calls("echo")[0]]
    assert talk.calls("echo")[0][names.JSONRPC_ID] == "1"


async def test_a_reply_to_nothing_is_nobody_s() -> None:
    """An id that was not asked for, or was replied to before."""
    talk = await stateless()
    await talk.say(message(2), *streamed(2, "Hi"), answered(2, None), answered(99, None))
    assert talk.outcomes() == ["ok"]


# --- Methods ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("method", "original"), [("made.up", "made.up"), ("two words", None), ("x" * 65, None)])
@BOTH
async def test_an_unknown_method_is_other(open_: Open, method: str, original: str | None) -> None:
    """And told as it was sent only where it is harmless."""
    talk = await open_()
    await talk.say(request(method, 5), refused(5, -32601))
    (call,) = talk.calls(names.OTHER)
    assert call.get(names.RPC_METHOD_ORIGINAL) == original
    assert call[names.RPC_STATUS] == "-32601"


@BOTH
async def test_a_call_is_a_server_span_until_its_reply(open_: Open) -> None:
    """Named by its method."""
    talk = await open_()
    await talk.say(request("echo", 5, message="x"), 0.25, reply(5, "x"))
    span = talk.recording.span("echo")
    assert span.kind is SpanKind.SERVER
    assert span.status.status_code is StatusCode.UNSET
    assert (span.end_time or 0) - (span.start_time or 0) == 250_000_000
    (point,) = durations(talk, "echo")
    assert (point.value, point.count) == (0.25, 1)
    assert point.labels == {names.RPC_SYSTEM: "jsonrpc", names.RPC_METHOD: "echo"}


# --- Commands --------------------------------------------------------------------------------------------------
async def test_a_slash_command_has_no_ai_and_no_deadline() -> None:
    """It is `ok` without a first chunk, however long it takes."""
    talk = await stateless(first_chunk=1, total=2)
    check = talk.server.watchdog.check
    shown = compact("agent.message", {"message": "help"})
    await talk.say(message(2, text="/help me"), 10.0, check, shown, acknowledged(2))
    (exchange,) = talk.exchanges()
    assert exchange[names.OUTCOME] == "ok"
    assert exchange[names.STREAM_CHUNKS] == 0
    assert talk.recording.spans(names.SPAN_AI_TIMEOUT) == []


async def test_a_word_with_a_slash_that_is_no_command_goes_to_the_ai() -> None:
    """Its silence counts."""
    talk = await stateless(first_chunk=1)
    await talk.say(message(2, text="/usr is full"), 2.0, talk.server.watchdog.check, *streamed(2, "Hi"))
    assert len(talk.recording.spans(names.SPAN_AI_TIMEOUT)) == 1
