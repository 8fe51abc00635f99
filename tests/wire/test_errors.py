"""What is no request, and replies that say no."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from ailoop_otel import names
from tests.scripted import request
from tests.wire.talk import Talk, delegates, durations, message, refused, stateless

Open = Callable[..., Awaitable[Talk]]
BOTH = pytest.mark.parametrize("open_", [stateless, delegates])
ODD = '{"error": "INTERNAL_ERROR", "message": "no", "id": 2}'


# --- What is no request ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", -32700),
        ("{", -32700),
        ("[" * 100_000, -32700),
        ("null", -32600),
        ('[{"jsonrpc": "2.0", "method": "sendUserMessage", "id": 2, "params": {"message": "x"}}]', -32600),
        ('{"jsonrpc": "1.0", "method": "sendUserMessage"}', -32600),
        ('{"jsonrpc": "2.0"}', -32600),
        ('{"jsonrpc": "2.0", "method": 7}', -32600),
    ],
    ids=["empty", "cut", "deep", "null", "batch", "version", "no method", "method 7"],
)
@BOTH
async def test_what_is_no_request_is_a_failed_call(open_: Open, text: str, code: int) -> None:
    """With the code that the server gave, and no exchange."""
    talk = await open_()
    await talk.say(text, 0.5, refused(None, code))
    (call,) = talk.calls(names.OTHER)
    assert call[names.RPC_STATUS] == call[names.ERROR_TYPE] == str(code)
    assert call[names.RPC_METHOD] == names.OTHER
    assert talk.exchanges() == []
    assert [point.labels.get(names.RPC_STATUS) for point in durations(talk, names.OTHER)] == [str(code)]


@BOTH
async def test_a_binary_frame_is_a_protocol_error(open_: Open) -> None:
    """AILoop drops the connection over it."""
    talk = await open_()
    await talk.say({"type": "websocket.receive", "bytes": b"\x00"}, KeyError("text"))
    assert talk.socket.task is not None
    with pytest.raises(KeyError):
        await talk.socket.task
    (call,) = talk.calls(names.OTHER)
    assert call[names.ERROR_TYPE] == "protocol_error"
    assert talk.recording.total("ailoop.connection.active") == 0


# --- Error replies ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (-32700, "protocol_error"),
        (-32600, "protocol_error"),
        (-32601, "protocol_error"),
        (-32602, "protocol_error"),
        (-32603, "server_error"),
        (-32001, "server_error"),
    ],
)
@BOTH
async def test_an_error_reply_ends_the_exchange(open_: Open, code: int, outcome: str) -> None:
    """By its code; the class of the error is the code's outcome, the code stands beside it."""
    talk = await open_()
    await talk.say(message(2), 1.0, refused(2, code))
    (exchange,) = talk.exchanges()
    assert exchange[names.OUTCOME] == outcome
    assert exchange[names.ERROR_TYPE] == outcome
    assert exchange[names.RPC_STATUS] == str(code)
    (error,) = talk.recording.points("ailoop.errors")
    assert (error.labels[names.OUTCOME], error.value) == (outcome, 1)
    assert [point.labels.get(names.RPC_STATUS) for point in durations(talk, "sendUserMessage")] == [str(code)]


@BOTH
@pytest.mark.fault(
    "clients",
    theirs="A client makes the server reply with an error code of its choice",
    promise="It becomes no label",
)
async def test_a_client_cannot_choose_the_code_that_becomes_a_label(open_: Open) -> None:
    """`echo` sends back an error of its making."""
    talk = await open_()
    for code in (404, 12345, 10**30):
        await talk.say(request("echo", 1, error={"code": code}), json.dumps({"error": {"code": code}, "id": 1}))
    (point,) = durations(talk, "echo")
    assert point.count == 3
    assert point.labels[names.ERROR_TYPE] == "server_error"
    assert names.RPC_STATUS not in point.labels


@pytest.mark.parametrize("frame", [ODD, '{"error": {"code": true}, "id": 2}', '{"id": 2, "error": null}'])
@BOTH
async def test_an_odd_error_reply_is_an_error_too(open_: Open, frame: str) -> None:
    """AILoop sends raw whatever a handler returned under the key `error`."""
    talk = await open_()
    await talk.say(message(2), frame)
    (exchange,) = talk.exchanges()
    assert exchange[names.OUTCOME] == exchange[names.ERROR_TYPE] == "server_error"
    assert names.RPC_STATUS not in exchange
    await talk.say(request("echo", 2), frame)
    assert talk.calls("echo")[0][names.ERROR_TYPE] == "server_error"


@BOTH
async def test_a_session_that_was_refused_is_none(open_: Open) -> None:
    """No ledger entry for an error."""
    talk = await open_(None)
    await talk.say(request("startSession", 1), refused(1, -32603))
    assert talk.recording.spans(names.SPAN_SESSION_START) == []
