"""What the frames of the current generation mean."""

from __future__ import annotations

from typing import Any

import pytest

from ailoop_otel.protocol import recognise
from ailoop_otel.protocol.frame import Answer, Meaning, Notice, read_frame
from ailoop_otel.protocol.stateless import Stateless
from tests.ailoop.transcripts import FOLDER, load
from tests.scripted import SESSION, channel, chunk, compact, reply, spaced, status, update

DIALECT = Stateless()


@pytest.mark.parametrize(
    "frame",
    [
        compact("agent.created", {}), update("x"), channel("x"), compact("context.updated", {}),
        compact("session.saved", {}), compact("session.loaded", {}),
    ],
)  # fmt: skip
def test_its_own_frames_are_known_by_their_heads(frame: str) -> None:
    """Only this generation writes notifications without spaces."""
    recognised = recognise(frame)
    assert recognised is not None
    assert recognised.name == "stateless"


@pytest.mark.parametrize("frame", [reply(1, {}), chunk("x"), status(1, "s"), spaced("StreamingUpdate", {}), "", "{}"])
def test_other_frames_are_not_its_own(frame: str) -> None:
    """A reply looks the same in both generations."""
    assert not DIALECT.recognises(frame)


@pytest.mark.parametrize("text", ["Hi", "", 'with "quotes" and \\', "ü", '"sessionId":"not-this"'])
def test_a_chunk_is_known_by_its_head_and_names_its_session_behind_the_text(text: str) -> None:
    """Whatever the text holds: inside it quotes are escaped."""
    frame = update(text)
    assert frame.startswith(DIALECT.chunk_head)
    assert frame.startswith(DIALECT.chunk_empty) is (text == "")
    assert DIALECT.chunk_session(frame) == SESSION


def test_structured_text_ends_otherwise_than_plain() -> None:
    """It is not sent again at its end."""
    assert update("x").endswith(DIALECT.plain_tail)
    assert not update("x", structured=True).endswith(DIALECT.plain_tail)


@pytest.mark.parametrize("text", ["", "w0", "w" * 1000])
def test_the_size_of_the_text_is_told_by_that_of_the_frame(text: str) -> None:
    """Without reading it."""
    assert DIALECT.chunk_size(len(update(text))) == len(text)


@pytest.mark.parametrize(
    ("frame", "notice"),
    [
        (update("abc"), Notice(Meaning.CHUNK, SESSION, 3)),
        (channel("abc"), Notice(Meaning.TEXT, SESSION, 3)),
        (compact("agent.created", {"agent_id": "a"}), Notice(Meaning.OTHER)),
        (compact("StreamingUpdate", {"content": 7, "sessionId": [1]}), Notice(Meaning.CHUNK)),
        (compact("ChannelMessageNotification", {"content": None, "metadata": 1}), Notice(Meaning.TEXT)),
        ('{"jsonrpc":"2.0","method":"StreamingUpdate","params":[1]}', Notice(Meaning.OTHER)),
        ('{"method":{"a":1},"params":{"sessionId":{}}}', Notice(Meaning.OTHER)),
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
        ({"messageId": "m", "ai_response": "abc"}, Answer(text="abc")),
        ({"messageId": "m", "ai_response": ""}, Answer()),
        ({"messageId": "m", "ai_response": None}, Answer(failed=True)),
        ({"messageId": "m", "ai_response": 7}, Answer()),
        ({"messageId": "m", "ai_response": 'x "tool_calls" y'}, Answer(text='x "tool_calls" y', tells_ending=False)),
        ({"messageId": "m", "status": 0}, Answer(command=True)),
        ({"status": 0}, None),
        (None, None),
        ("text", None),
        ([{"messageId": "m"}], None),
    ],
)
def test_a_reply_says_how_the_ai_fared(result: Any, answer: Answer | None) -> None:
    """`status: 0` says nothing."""
    assert DIALECT.answer(result) == answer


def test_it_answers_the_49_methods() -> None:
    """As many as the server has."""
    assert len(DIALECT.methods) == 49


def test_the_whole_text_comes_in_frames_that_begin_alike() -> None:
    """In all that was recorded of the real server, so that those after a stream need not be read."""
    frames = [entry["text"] for path in (FOLDER / "stateless").glob("*.json") for entry in load("stateless", path.stem)
              if entry["direction"] == "in" and "ChannelMessageNotification" in entry["text"]]  # fmt: skip
    assert len(frames) > 10
    assert all(frame.startswith(DIALECT.whole_head) for frame in frames)
