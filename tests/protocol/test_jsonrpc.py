"""Frames as anybody may send them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.protocol.foreign import harmless, identifier
from ailoop_otel.protocol.jsonrpc import (
    INVALID,
    Request,
    carries_text,
    error_code,
    id_text,
    is_reply,
    read_frame,
    read_request,
)
from ailoop_otel.protocol.registry import DIALECTS

DEEP = "[" * 100_000
SESSION = "01234567-89ab-cdef-0123-456789abcdef"


def request(**frame: Any) -> Request:
    """A client's frame, read."""
    return read_request(json.dumps({"jsonrpc": "2.0", **frame}))


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "1", "NaN", '"text"', "[]", '[{"jsonrpc":"2.0","method":"echo","id":1}]', DEEP, "9" * 5000, "\0"],
    ids=["empty", "cut", "null", "number", "nan", "string", "array", "batch", "deep", "huge", "nul"],
)
def test_what_is_no_object_is_no_request(text: str) -> None:
    """And nothing raises, however deep or long it is; a batch is no request either."""
    assert read_request(text) == INVALID
    assert read_frame(text) is None


def test_a_request_says_what_it_asks() -> None:
    """Method, id, parameters and the client's trace."""
    params = {"sessionId": SESSION, "message": "my secret", "_meta": {"traceparent": "00-a-b-c"}}
    read = request(method="sendUserMessage", id=7, params=params)
    assert read == Request("sendUserMessage", 7, True, params, "00-a-b-c", True)
    assert DIALECTS.session_of(read.method, read.params) == SESSION


@pytest.mark.parametrize("frame", [{"jsonrpc": "1.0", "method": "echo"}, {"method": "echo"}, {"jsonrpc": "2.0"}])
def test_what_is_no_json_rpc_2_is_not_valid(frame: Any) -> None:
    """Its id is echoed by the server, so it is kept."""
    read = read_request(json.dumps({**frame, "id": "x"}))
    assert (read.valid, read.id, read.has_id) == (False, "x", True)


@pytest.mark.parametrize("has", [True, False])
def test_an_id_of_null_is_an_id(has: bool) -> None:
    """AILoop replies to it, and not to what has none."""
    assert request(method="echo", **({"id": None} if has else {})).has_id is has


@pytest.mark.parametrize("session", [1, None, [SESSION], {"a": 1}, "two words", "x" * 65, "\ud800", "", 'a","b'])
def test_a_session_id_is_harmless_or_nothing(session: Any) -> None:
    """It becomes an attribute, so nothing else is taken for one."""
    assert DIALECTS.session_of("echo", {"sessionId": session}) is None
    assert identifier(session) is None


@pytest.mark.parametrize(
    ("message", "command"),
    [("/help", "/help"), ("  /Clear now", "/clear"), ("/", "/"), ("help", None), ("", None), (7, None), (None, None)],
)
def test_a_command_is_the_first_word_of_a_message_with_a_slash(message: Any, command: str | None) -> None:
    """As the server reads it."""
    assert DIALECTS.command_of("sendUserMessage", {"message": message}) == command


@pytest.mark.parametrize("params", [None, 1, "text", [1], {"_meta": 1}, {"_meta": None}])
def test_parameters_of_any_kind_are_read(params: Any) -> None:
    """They hold nothing then."""
    read = request(method="echo", id=1, params=params)
    assert DIALECTS.session_of(read.method, read.params) is None
    assert DIALECTS.command_of(read.method, read.params) is None
    assert read.trace is None


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ({"id": 1, "result": 1}, None),
        ({"id": 1, "error": {"code": -32603, "message": "m"}}, -32603),
        ({"error": "INTERNAL_ERROR", "message": "m", "id": 3}, 0),
        ({"error": {"code": True}}, 0),
        ({"error": {"code": "1"}}, 0),
        ({"error": {"code": 1.5}}, 0),
        ({"error": {"code": 404}}, 0),
        ({"error": {"code": -31999}}, 0),
        ({"error": {"code": -32000}}, -32000),
        ({"error": {"code": -32768}}, -32768),
        ({"error": {"code": -(10**100)}}, 0),
        ({"error": None}, 0),
        ({"error": {}, "result": 1}, 0),
    ],
)
def test_an_error_is_told_by_its_key(reply: Any, code: int | None) -> None:
    """AILoop sends whatever a handler returned under `error`."""
    assert error_code(reply) == code
    assert is_reply(reply)


def test_a_notification_is_no_reply() -> None:
    """Though it may have an id."""
    assert not is_reply({"method": "agent.created", "id": 1})
    assert not is_reply({"result": 1})


def test_ids_are_the_same_where_they_stand_the_same_in_a_frame() -> None:
    """Not where Python holds them equal."""
    ids = [1, 1.0, True, "1", None, "null", [1], [1.0], {"a": 1}, 0, False, "", float("inf")]
    assert len({id_text(value) for value in ids}) == len(ids)
    assert id_text(float("nan")) == id_text(float("nan"))


def test_an_id_that_is_too_deep_is_no_fault() -> None:
    """Python's own limit is met."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert id_text(deep) == ""


@pytest.mark.parametrize(
    ("params", "carries"),
    [
        ({"delta": "Hi"}, True),
        ({"message": {"parts": [{"type": "text", "text": "Hi"}]}}, True),
        ({"delta": ""}, False),
        ({"sessionId": "s", "agent_id": "a", "type": "ping", "status": "busy", "n": 1}, False),
        ([1, None, "Hi"], True),
        (None, False),
    ],
)
def test_ids_kinds_and_numbers_are_no_text(params: Any, carries: bool) -> None:
    """Whatever could be words of an answer is."""
    assert carries_text(params) is carries


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    """Whatever a client or server sends."""
    read_request(text)
    read_frame(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["jsonrpc", "method", "id", "params", "error", "result", "_meta", "sessionId", "message"])


@given(st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON)))
def test_any_json_is_read(frame: Any) -> None:
    """With the known keys in any place and any value in them."""
    read = read_request(json.dumps(frame))
    session = DIALECTS.session_of(read.method, read.params)
    assert session is None or harmless(session) == session
    DIALECTS.command_of(read.method, read.params)
    carries_text(frame)
    error_code(frame)
    is_reply(frame)
