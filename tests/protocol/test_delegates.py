"""What the frames of the earlier generation mean."""

from __future__ import annotations

from typing import Any

import pytest

from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.dialect import Meaning, Notice, Reply, ReplyKind
from ailoop_otel.protocol.jsonrpc import length_in_json, read_frame
from ailoop_otel.protocol.registry import DIALECTS
from tests.scripted import SESSION, chunk, compact, spaced, status, update

DIALECT = Delegates()
(FORM,) = DIALECT.chunk_forms


def noticed(frame: str) -> Notice | None:
    """What the dialect says of a notification."""
    read = read_frame(frame)
    assert read is not None
    params = read.get("params")
    return DIALECT.notice(read["method"], params if isinstance(params, dict) else {})


@pytest.mark.parametrize("frame", [chunk("x"), status(1, "started"), spaced("ToolCallNotification", {})])
def test_its_own_notifications_are_known(frame: str) -> None:
    """However they are spaced."""
    assert noticed(frame) is not None


@pytest.mark.parametrize("frame", [update("x"), compact("agent.created", {}), spaced("", {})])
def test_other_notifications_are_not_its_own(frame: str) -> None:
    """Those of the other generation neither."""
    assert noticed(frame) is None


@pytest.mark.parametrize("text", ["Hi", "", 'with "quotes"', '"sessionId": "not-this"'])
def test_a_chunk_names_its_session_at_a_fixed_place(text: str) -> None:
    """Before the text, whatever that holds."""
    frame = chunk(text)
    assert frame.startswith(FORM.head)
    assert FORM.session(frame) == SESSION


def test_the_last_chunk_is_known_by_its_tail() -> None:
    """It is the one with `isFinal`."""
    assert chunk("x", final=True).endswith(FORM.final)
    assert not chunk("x").endswith(FORM.final)


@pytest.mark.parametrize("text", ["", "w0", "w" * 1000, 'with "quotes"', '", "chunk": "', '", "isFinal": '])
@pytest.mark.parametrize("final", [False, True])
def test_the_size_of_the_text_is_known_without_parsing(text: str, final: bool) -> None:
    """As it stands in JSON, for ids of any length."""
    assert FORM.text_size(chunk(text, final=final)) == length_in_json(text)
    assert FORM.text_size(chunk(text, "s1", final=final)) == length_in_json(text)


@pytest.mark.parametrize(
    ("frame", "notice"),
    [
        (chunk("abc"), Notice(Meaning.PIECE, SESSION, "abc")),
        (chunk("abc", final=True), Notice(Meaning.FINAL, SESSION, "abc")),
        (status(0, "Starting"), Notice(Meaning.OTHER, SESSION)),
        (status(1, "Session started"), Notice(Meaning.OTHER, SESSION)),
        (status(2, "Session stopped"), Notice(Meaning.SESSION_ENDED, SESSION)),
        (status(3, "Error: boom"), Notice(Meaning.FAILED, SESSION)),
        (status(3, "timeout"), Notice(Meaning.TIMED_OUT, SESSION)),
        (status(3, "Session ended: error"), Notice(Meaning.SESSION_FAILED, SESSION)),
        (spaced("ToolCallNotification", {"sessionId": SESSION}), Notice(Meaning.OTHER, SESSION)),
        (spaced("SessionStatusNotification", {"sessionId": [1], "status": {}, "reason": 3}), Notice(Meaning.OTHER)),
        (spaced("AIMessageChunkNotification", {"sessionId": 1, "chunk": 2}), Notice(Meaning.UNREADABLE)),
        ('{"jsonrpc": "2.0", "method": "SessionStatusNotification"}', Notice(Meaning.OTHER)),
    ],
)
def test_a_notification_says_what_it_means(frame: str, notice: Notice) -> None:
    """Where its parts are of another kind than they should be, they are not there."""
    assert noticed(frame) == notice


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        ({"messageId": "m", "status": 0}, Reply(ReplyKind.RECEIVED)),
        ({"messageId": "m", "status": 0, "ai_response": "x"}, None),
        ({"status": 0}, None),
        (None, None),
        ([], None),
    ],
)
def test_a_reply_only_acknowledges(result: Any, answer: Reply | None) -> None:
    """The answer comes in chunks."""
    assert DIALECT.reply(result) == answer


def test_its_methods_are_known_to_both() -> None:
    """So that a method's name does not depend on who is asked."""
    assert len(DIALECT.methods) == 5
    assert DIALECT.methods <= DIALECTS.methods
