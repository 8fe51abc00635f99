"""What the frames of the earlier generation mean."""

from __future__ import annotations

from typing import Any

import pytest

from ailoop_otel.protocol import METHODS, recognise
from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.frame import Answer, Meaning, Notice, read_frame
from tests.scripted import SESSION, chunk, compact, reply, spaced, status, update

DIALECT = Delegates()


@pytest.mark.parametrize("frame", [chunk("x"), status(1, "started"), spaced("ToolCallNotification", {})])
def test_its_own_frames_are_known_by_their_heads(frame: str) -> None:
    """It writes notifications with spaces, as replies are."""
    recognised = recognise(frame)
    assert recognised is not None
    assert recognised.name == "delegates"


@pytest.mark.parametrize("frame", [reply(1, {}), update("x"), compact("agent.created", {}), "", "{}"])
def test_other_frames_are_not_its_own(frame: str) -> None:
    """A reply looks the same in both generations."""
    assert not DIALECT.recognises(frame)


@pytest.mark.parametrize("text", ["Hi", "", 'with "quotes"', '"sessionId": "not-this"'])
def test_a_chunk_names_its_session_at_a_fixed_place(text: str) -> None:
    """Before the text, whatever that holds."""
    frame = chunk(text)
    assert frame.startswith(DIALECT.chunk_head)
    assert DIALECT.chunk_session(frame) == SESSION


def test_the_last_chunk_is_known_by_its_tail() -> None:
    """It is the one with `isFinal`."""
    assert chunk("x", final=True).endswith(DIALECT.final_tail)
    assert not chunk("x").endswith(DIALECT.final_tail)


@pytest.mark.parametrize("text", ["", "w0", "w" * 1000])
def test_the_size_of_the_text_is_told_by_that_of_the_frame(text: str) -> None:
    """Without reading it."""
    assert DIALECT.chunk_size(len(chunk(text))) == len(text)


@pytest.mark.parametrize(
    ("frame", "notice"),
    [
        (chunk("abc"), Notice(Meaning.CHUNK, SESSION, 3)),
        (chunk("abc", final=True), Notice(Meaning.FINAL, SESSION, 3)),
        (status(0, "Starting"), Notice(Meaning.OTHER, SESSION)),
        (status(1, "Session started"), Notice(Meaning.OTHER, SESSION)),
        (status(2, "Session stopped"), Notice(Meaning.SESSION_ENDED, SESSION)),
        (status(3, "Error: boom"), Notice(Meaning.FAILED, SESSION)),
        (status(3, "timeout"), Notice(Meaning.TIMED_OUT, SESSION)),
        (status(3, "Session ended: error"), Notice(Meaning.SESSION_FAILED, SESSION)),
        (spaced("ToolCallNotification", {"sessionId": SESSION}), Notice(Meaning.OTHER, SESSION)),
        (spaced("SessionStatusNotification", {"sessionId": [1], "status": {}, "reason": 3}), Notice(Meaning.OTHER)),
        (spaced("AIMessageChunkNotification", {"sessionId": 1, "chunk": 2}), Notice(Meaning.CHUNK)),
        ('{"jsonrpc": "2.0", "method": "SessionStatusNotification"}', Notice(Meaning.OTHER)),
    ],
)
def test_a_notification_says_what_it_means(frame: str, notice: Notice) -> None:
    """Where its parts are of another kind than they should be, they are not there."""
    read = read_frame(frame)
    assert read is not None
    assert DIALECT.notice(read) == notice


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        ({"messageId": "m", "status": 0}, Answer(acknowledges=True)),
        ({"messageId": "m", "status": 0, "ai_response": "x"}, None),
        ({"status": 0}, None),
        (None, None),
        ([], None),
    ],
)
def test_a_reply_only_acknowledges(result: Any, answer: Answer | None) -> None:
    """The answer comes in chunks."""
    assert DIALECT.answer(result) == answer


def test_its_methods_are_known_to_both() -> None:
    """So that a method's name does not depend on who is asked."""
    assert len(DIALECT.methods) == 5
    assert DIALECT.methods <= METHODS
