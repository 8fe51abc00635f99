"""What the frames of the current generation mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ailoop_otel.protocol.dialect import NO_TAIL, Meaning, Notice, Reply, ReplyKind
from ailoop_otel.protocol.jsonrpc import length_in_json, read_frame
from ailoop_otel.protocol.stateless import Stateless
from tests.ailoop.transcripts import FOLDER, load
from tests.scripted import SESSION, channel, chunk, compact, spaced, status, update

DIALECT = Stateless()
(FORM,) = DIALECT.chunk_forms


def noticed(frame: str) -> Notice | None:
    """What the dialect says of a notification."""
    read = read_frame(frame)
    assert read is not None
    params = read.get("params")
    return DIALECT.notice(read["method"], params if isinstance(params, dict) else {})


@pytest.mark.parametrize(
    "frame",
    [
        compact("agent.created", {}), update("x"), channel("x"), compact("context.updated", {}),
        compact("session.saved", {}), compact("session.loaded", {}),
    ],
)  # fmt: skip
def test_its_own_notifications_are_known(frame: str) -> None:
    """However they are spaced."""
    assert noticed(frame) is not None


@pytest.mark.parametrize("frame", [chunk("x"), status(1, "s"), spaced("", {})])
def test_other_notifications_are_not_its_own(frame: str) -> None:
    """Those of the other generation neither."""
    assert noticed(frame) is None


@pytest.mark.parametrize("text", ["Hi", "", 'with "quotes" and \\', "ü", '"sessionId":"not-this"'])
def test_a_chunk_is_known_by_its_head_and_names_its_session_behind_the_text(text: str) -> None:
    """Whatever the text holds: inside it quotes are escaped."""
    frame = update(text)
    assert frame.startswith(FORM.head)
    assert frame.startswith(FORM.empty) is (text == "")
    assert FORM.session(frame) == SESSION


def test_structured_text_ends_otherwise_than_plain() -> None:
    """It is not sent again at its end."""
    assert update("x").endswith(FORM.repeated)
    assert not update("x", structured=True).endswith(FORM.repeated)


@pytest.mark.parametrize("text", ["", "w0", "w" * 1000, 'with "quotes"', '","sessionId":"'])
def test_the_size_of_the_text_is_known_without_parsing(text: str) -> None:
    """As it stands in JSON, for ids and agents of any length."""
    assert FORM.text_size(update(text)) == length_in_json(text)
    assert FORM.text_size(update(text, "s1", "agent")) == length_in_json(text)


@pytest.mark.parametrize("text", ["Hi", '","sessionId":"'])
def test_a_chunks_tail_begins_where_its_text_ends(text: str) -> None:
    """So that a longer frame with the same tail has more text."""
    tail = FORM.tail(update(text))
    assert isinstance(tail, str)
    assert update(text) == FORM.head + json.dumps(text, ensure_ascii=False)[1:-1] + tail
    assert FORM.tail(FORM.head) == NO_TAIL


@pytest.mark.parametrize(
    ("frame", "notice"),
    [
        (update("abc"), Notice(Meaning.UPDATE, SESSION, "abc", repeats=True)),
        (update("abc", structured=True), Notice(Meaning.UPDATE, SESSION, "abc")),
        (channel("abc"), Notice(Meaning.TEXT, SESSION, "abc")),
        (compact("agent.created", {"agent_id": "a"}), Notice(Meaning.OTHER)),
        (compact("StreamingUpdate", {"content": 7, "sessionId": [1]}), Notice(Meaning.UNREADABLE)),
        (compact("ChannelMessageNotification", {"content": None, "metadata": 1}), Notice(Meaning.UNREADABLE)),
        ('{"jsonrpc":"2.0","method":"StreamingUpdate","params":[1]}', Notice(Meaning.UNREADABLE)),
        (compact("agent.message", {"message": "Help"}), Notice(Meaning.COMMAND)),
    ],
)
def test_a_notification_says_what_it_means(frame: str, notice: Notice) -> None:
    """Where its parts are of another kind than they should be, they are not there."""
    assert noticed(frame) == notice


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        ({"messageId": "m", "ai_response": "abc"}, Reply(ReplyKind.ANSWER, "abc")),
        ({"messageId": "m", "ai_response": ""}, Reply(ReplyKind.ANSWER)),
        ({"messageId": "m", "ai_response": None}, Reply(ReplyKind.ANSWER, failed=True)),
        ({"messageId": "m", "ai_response": 7}, Reply(ReplyKind.ANSWER)),
        (
            {"messageId": "m", "ai_response": 'x "tool_calls" y'},
            Reply(ReplyKind.ANSWER, 'x "tool_calls" y', shows_end=False),
        ),
        ({"messageId": "m", "status": 0}, Reply(ReplyKind.RECEIVED)),
        ({"status": 0}, None),
        (None, None),
        ("text", None),
        ([{"messageId": "m"}], None),
    ],
)
def test_a_reply_says_how_the_ai_fared(result: Any, answer: Reply | None) -> None:
    """`status: 0` says nothing."""
    assert DIALECT.reply(result) == answer


def test_it_answers_the_49_methods() -> None:
    """As many as the server has."""
    assert len(DIALECT.methods) == 49


def test_the_whole_text_comes_in_frames_that_begin_alike() -> None:
    """In all that was recorded of the real server, so that those after a stream need not be read."""
    frames = [entry["text"] for path in (FOLDER / "stateless").glob("*.json") for entry in load("stateless", path.stem)
              if entry["direction"] == "in" and "ChannelMessageNotification" in entry["text"]]  # fmt: skip
    assert len(frames) > 10
    assert all(frame.startswith(DIALECT.repeating_head) for frame in frames)
