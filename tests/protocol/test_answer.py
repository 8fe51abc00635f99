"""The reader of answers, frame by frame: times are plain numbers, and expectations are worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from ailoop_otel.protocol.answer import COMPLETE, FIRST, NOTHING, OUTCOMES, Answer
from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.dialect import Meaning, Notice, Reply, ReplyKind
from ailoop_otel.protocol.stateless import Stateless
from ailoop_otel.protocol.traits import NOTHING_KNOWN, Traits
from tests.scripted import SESSION, chunk, update

STATELESS, DELEGATES = NOTHING_KNOWN.seen(Stateless()), NOTHING_KNOWN.seen(Delegates())
(UPDATE,), (PIECE,) = Stateless.chunk_forms, Delegates.chunk_forms
RECEIVED = Reply(ReplyKind.RECEIVED)


def answer(text: str) -> Reply:
    """A reply with an answer."""
    return Reply(ReplyKind.ANSWER, text)


def notice(meaning: Meaning, text: str = "", *, repeats: bool = False) -> Notice:
    """A notification of the one session."""
    return Notice(meaning, SESSION, text, repeats)


def updated(*texts: str, traits: Traits = STATELESS) -> Answer[int]:
    """An answer after updates at 1, 2, 3, ...; a text that begins with `{` was taken out of a structured one."""
    read: Answer[int] = Answer(0, [])
    read.traits = traits
    for now, text in enumerate(texts, 1):
        read.take(now, update(text.lstrip("{"), structured=text.startswith("{")), UPDATE)
    return read


# --- The beginning ---------------------------------------------------------------------------------------------
def test_before_the_first_frame_nothing_is_known() -> None:
    """No chunk, no end, no failure; and no frame is one that may be counted without being read."""
    read: Answer[int] = Answer(5)
    assert (read.traits, read.last, read.gaps, read.tail, read.raised, read.code) == (NOTHING_KNOWN, 5, *[None] * 4)
    numbers = (read.first, read.left, read.max_gap, read.calm, read.chunks, read.stream_size, read.answer_size)
    assert numbers == (0,) * 7
    assert (read.unread, read.frame_size, read.streamed_size) == (0, 0, 0)
    flags = (read.unread_first, read.command, read.answered, read.whole, read.cut, read.failed, read.stopped)
    assert flags == (False,) * 7
    assert (read.timed_out, read.repeated, read.plain) == (False, False, False)
    assert not any(frame[read.tail_at] or read.from_frame <= frame < read.to_frame for frame in ("", "\0", "{", "X"))


# --- Model calls one after the other ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("texts", "reply", "outcome", "chunks"),
    [
        # The second call goes on in the buffer of the first: its text begins behind "abc".
        (["abc", "abc", "abcx", "abcxy"], "xy", "cut", 3),
        (["abc", "abc", "abcx", "abcxy", "abcxy"], "xy", "ok", 3),
        # It sent its last words twice and repeated nothing: the third "chunk" is the end.
        (["abc", "abc", "abcx", "abcxyy"], "xy", "ok", 2),
        # It began with an empty buffer.
        (["abc", "abc", "x", "xy"], "xy", "cut", 3),
        (["abc", "abc", "x", "xyy"], "xy", "ok", 2),
        # And that one's own second call goes on in it.
        (["abc", "abc", "x", "xy", "xy", "xyz"], "z", "cut", 4),
        # Structured text is not repeated, plain text is: the latest call counts.
        (["{abc", "x", "xy"], "xy", "cut", 3),
        (["abcdefg", "abcdefg", "{x", "{xy"], "xy", "ok", 3),
    ],
)
def test_a_cut_is_seen_in_each_model_call(texts: list[str], reply: str, outcome: str, chunks: int) -> None:
    """What was streamed of the latest call is compared with the answer: its text begins where that call began."""
    read = updated(*texts)
    read.reply(9, answer(reply), 100)
    assert (read.outcome, read.chunks) == (outcome, chunks)
    assert read.gaps is not None
    assert len(read.gaps) == chunks - 1


@pytest.mark.parametrize("parsed", [True, False])
def test_a_cut_is_seen_where_the_first_model_call_was_not_streamed(parsed: bool) -> None:
    """Its text came in one piece and is the first chunk; the second call's two updates were not repeated."""
    read = updated()
    assert read.read(1, notice(Meaning.TEXT, "one"), 50) == FIRST
    for now, text in enumerate(("x", "xy"), 2):
        if parsed:
            read.read(now, notice(Meaning.UPDATE, text, repeats=True), 50 + len(text))
        else:
            read.take(now, update(text), UPDATE)
    read.reply(9, answer("xy"), 100)
    assert (read.outcome, read.chunks) == ("cut", 3)


def test_updates_without_text_say_nothing_of_the_end() -> None:
    """Two of different length, and the reply brings the answer: its one chunk."""
    read = updated()
    for now, agent in enumerate(("alice", "a"), 1):
        read.take(now, update("", agent=agent), UPDATE)
    read.reply(3, answer("abc"), 100)
    assert (read.outcome, read.chunks, read.first) == ("ok", 1, 3)


def test_a_repeat_says_nothing_of_the_text_that_follows_it() -> None:
    """The next update is a chunk, and the stream is open again."""
    read = updated("a", "a")
    assert read.repeated is True
    read.take(3, update("ab"), UPDATE)
    assert read.repeated is False
    assert read.chunks == 2


# --- Updates ---------------------------------------------------------------------------------------------------
def test_an_update_that_was_parsed_counts_as_one_that_was_not() -> None:
    """First chunk, gaps, sizes and the repeat; no frame is recognised by its beginning and end afterwards."""
    alone: Answer[int] = Answer(0)
    assert alone.read(1, notice(Meaning.UPDATE, "ab"), 52) == FIRST
    assert (alone.streamed_size, alone.plain) == (2, False)
    read: Answer[int] = Answer(0, [])
    assert read.read(3, notice(Meaning.UPDATE, "", repeats=True), 50) == NOTHING
    assert (read.chunks, read.first) == (0, 0)
    assert read.read(5, notice(Meaning.UPDATE, "ab", repeats=True), 52) == FIRST
    assert (read.first, read.chunks, read.stream_size, read.streamed_size, read.plain) == (5, 1, 102, 2, True)
    assert read.read(9, notice(Meaning.UPDATE, "abc", repeats=True), 53) == NOTHING
    assert (read.first, read.last, read.chunks, read.stream_size, read.streamed_size) == (5, 9, 2, 155, 3)
    assert read.read(10, notice(Meaning.UPDATE, "abc", repeats=True), 53) == NOTHING
    assert (read.chunks, read.gaps, read.repeated) == (2, [4], True)
    assert read.tail is None


def test_further_updates_are_known_by_their_beginning_and_end() -> None:
    """Only where more may follow: not after an update without text, nor after the repeat."""
    read = updated("")
    assert read.tail is None
    read.take(2, update("a"), UPDATE)
    assert update("ab")[read.tail_at] == read.tail
    # The head ends with a quote, and the next character is `#`.
    assert (read.from_frame, read.to_frame) == (UPDATE.head, UPDATE.head[:-1] + "#")
    read.take(3, update("a"), UPDATE)
    assert read.tail is None


def test_the_streamed_size_is_that_of_cumulative_updates() -> None:
    """Pieces are added up elsewhere."""
    assert updated("a", "abc").streamed_size == 3
    assert updated("").streamed_size == 0
    pieces: Answer[int] = Answer(0)
    pieces.take(1, chunk("abc"), PIECE)
    assert (pieces.streamed_size, pieces.answer_size) == (0, 3)


# --- Pieces and texts ------------------------------------------------------------------------------------------
def test_a_piece_that_was_parsed_counts_as_one_that_was_not() -> None:
    """One without text is none; the final one repeats the last and completes the answer."""
    read: Answer[int] = Answer(0, [])
    assert read.read(1, notice(Meaning.PIECE), 40) == NOTHING
    assert read.read(3, notice(Meaning.PIECE, "abc"), 43) == FIRST
    assert read.read(8, notice(Meaning.PIECE, "de"), 42) == NOTHING
    assert read.read(9, notice(Meaning.FINAL, "de"), 42) == COMPLETE
    assert (read.first, read.last, read.chunks, read.gaps, read.max_gap) == (3, 8, 2, [5], 5)
    assert (read.stream_size, read.answer_size, read.outcome) == (125, 5, "ok")


def test_a_final_piece_alone_is_the_answer() -> None:
    """Read by its form or parsed."""
    text = chunk("abc", final=True)
    taken: Answer[int] = Answer(0)
    assert taken.take(7, text, PIECE) == FIRST | COMPLETE
    parsed: Answer[int] = Answer(0)
    assert parsed.read(7, notice(Meaning.FINAL, "abc"), len(text)) == FIRST | COMPLETE
    for read in (taken, parsed):
        assert (read.first, read.chunks, read.stream_size, read.answer_size) == (7, 1, len(text), 3)
        assert read.outcome == "ok"


def test_a_final_frame_without_text_completes_and_is_no_chunk() -> None:
    """By itself it is no answer."""
    read: Answer[int] = Answer(0)
    assert read.read(7, notice(Meaning.FINAL), 40) == COMPLETE
    assert (read.first, read.chunks, read.answer_size, read.whole) == (0, 0, 0, True)
    assert read.outcome == "no_answer"


def test_a_text_in_one_piece_adds_to_what_was_sent_before() -> None:
    """An empty one is no chunk."""
    read = updated("")
    sent = read.stream_size
    assert read.read(2, notice(Meaning.TEXT), 40) == NOTHING
    assert read.read(3, notice(Meaning.TEXT, "abc"), 43) == FIRST
    assert (read.first, read.chunks, read.stream_size) == (3, 1, sent + 43)
    assert read.command is False


@pytest.mark.parametrize("cumulative_first", [True, False])
def test_an_answer_is_counted_by_the_frames_that_began_it(cumulative_first: bool) -> None:
    """A server that sends both kinds sends each text twice."""
    read: Answer[int] = Answer(0)
    frames = [(update("ab"), UPDATE), (chunk("ab"), PIECE)]
    first, second = frames if cumulative_first else frames[::-1]
    assert read.take(1, *first) == FIRST
    assert read.take(2, *second) == NOTHING
    assert (read.chunks, read.last) == (1, 1)
    assert read.stream_size == len(first[0]) + len(second[0])


# --- Frames that cannot be read --------------------------------------------------------------------------------
def test_after_frames_that_were_not_read_the_first_chunk_is_not_known() -> None:
    """Each is counted; those that come after the first chunk leave it known."""
    read = updated()
    assert read.knows_first is False
    read.unreadable()
    read.read(1, notice(Meaning.UNREADABLE), 40)
    assert (read.unread, read.unread_first, read.knows_stream) == (2, True, False)
    read.take(2, update("a"), UPDATE)
    assert read.knows_first is False
    late = updated("a")
    late.unreadable()
    assert (late.unread, late.unread_first, late.knows_first, late.knows_stream) == (1, False, True, False)


@pytest.mark.parametrize(("reply", "covered"), [("abc", True), ("ab", True), ("abcd", False)])
@pytest.mark.parametrize("cumulative", [True, False])
def test_frames_that_were_not_read_carried_nothing_where_all_text_was_read(
    reply: str, covered: bool, cumulative: bool
) -> None:
    """The reply brings the whole text, and what was streamed holds it."""
    read = updated()
    read.unreadable()
    read.take(1, *((update("abc"), UPDATE) if cumulative else (chunk("abc"), PIECE)))
    read.reply(2, answer(reply), 100)
    assert (read.knows_first, read.knows_stream) == (covered, covered)


def test_a_reply_is_not_the_first_chunk_after_frames_that_were_not_read() -> None:
    """They may have streamed it."""
    read = updated()
    read.unreadable()
    assert read.reply(2, answer("abc"), 100) == FIRST | COMPLETE
    assert (read.chunks, read.knows_first, read.knows_stream, read.answer_size) == (1, False, False, 3)


# --- Replies ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("looks_so", "noticed", "traits", "command"),
    [
        (True, False, NOTHING_KNOWN, False),
        (True, False, STATELESS, False),
        (True, False, STATELESS.proven("reply_answers", True), True),
        (True, False, STATELESS.proven("reply_answers", False), False),
        (True, False, DELEGATES, False),
        (False, False, STATELESS.proven("reply_answers", True), False),
        (False, False, NOTHING_KNOWN, False),
        (False, False, STATELESS, False),
        (False, True, DELEGATES, True),
        (True, True, DELEGATES, True),
    ],
)
def test_a_reply_without_answer_is_to_a_command_where_it_may_be(
    looks_so: bool, noticed: bool, traits: Traits, command: bool
) -> None:
    """A notice shows it, or it looks like one and replies to messages were seen to bring answers."""
    read: Answer[int] = Answer(0)
    read.traits = traits
    read.command = looks_so
    if noticed:
        assert read.read(1, notice(Meaning.COMMAND), 40) == NOTHING
    assert read.reply(2, RECEIVED, 60) == (COMPLETE if command else NOTHING)
    assert (read.command, read.whole, read.answered) == (command, command, True)
    assert read.outcome == ("ok" if command else "no_answer")


@pytest.mark.parametrize(
    ("meaning", "outcome"),
    [
        (Meaning.FINAL, "ok"),
        (Meaning.FAILED, "ai_error"),
        (Meaning.TIMED_OUT, "ai_timeout"),
        (Meaning.SESSION_FAILED, "ai_error"),
        (Meaning.SESSION_ENDED, "cancelled"),
    ],
)
def test_a_late_acknowledgement_completes_what_has_ended(meaning: Meaning, outcome: str) -> None:
    """A frame completed the answer before the server came to say that it took the message."""
    read: Answer[int] = Answer(0)
    read.traits = DELEGATES
    assert read.read(1, notice(meaning, "abc"), 43) & COMPLETE
    assert read.reply(2, RECEIVED, 60) == COMPLETE
    assert (read.whole, read.outcome) == (meaning is Meaning.FINAL, outcome)


def test_a_timeout_of_the_server_stays_one_when_it_reports_a_failure_too() -> None:
    """The later notice does not take it back."""
    read: Answer[int] = Answer(0)
    read.read(1, notice(Meaning.TIMED_OUT), 40)
    read.read(2, notice(Meaning.FAILED), 40)
    assert (read.timed_out, read.outcome) == (True, "ai_timeout")


def test_an_answer_proves_that_the_message_was_no_command() -> None:
    """Though it looked like one."""
    read: Answer[int] = Answer(0)
    read.command = True
    read.reply(1, answer(""), 60)
    assert (read.command, read.whole, read.outcome) == (False, False, "no_answer")


@pytest.mark.parametrize(("before", "in_reply"), [(True, False), (False, True), (False, False)])
def test_a_failure_of_the_model_may_stand_in_the_reply_or_come_before_it(before: bool, in_reply: bool) -> None:
    """Either is one."""
    read = updated("a", "a")
    read.failed = before
    read.reply(3, Reply(ReplyKind.ANSWER, "a", failed=in_reply), 60)
    assert read.outcome == ("ai_error" if before or in_reply else "ok")


@pytest.mark.parametrize(("code", "outcome"), [(-32600, "protocol_error"), (0, "server_error"), (-1, "server_error")])
def test_an_error_reply_is_the_outcome(code: int, outcome: str) -> None:
    """Whatever was streamed before."""
    read = updated("a", "a")
    read.whole = True
    assert read.refuse(code) == COMPLETE
    assert (read.answered, read.outcome) == (True, outcome)


# --- Outcomes --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"whole": True, "first": 1}, "ok"),
        ({"whole": True, "command": True}, "ok"),
        ({"whole": True, "first": 1, "raised": "KeyError"}, "server_error"),
        ({"whole": True, "first": 1, "left": 5}, "disconnected"),
        ({"whole": True, "first": 1, "stopped": True}, "cancelled"),
        ({"raised": "KeyError", "left": 5, "stopped": True}, "server_error"),
        ({"left": 5, "stopped": True}, "disconnected"),
        ({"stopped": True, "timed_out": True}, "cancelled"),
        ({"timed_out": True, "failed": True}, "ai_timeout"),
        ({"timed_out": True, "first": 1}, "ai_timeout"),
        ({"timed_out": True, "first": 1, "whole": True, "cut": True}, "ai_timeout"),
        ({"timed_out": True, "first": 1, "whole": True}, "ok"),
        ({"failed": True, "first": 1}, "ai_error"),
        ({"failed": True, "first": 1, "whole": True}, "ai_error"),
        ({"cut": True, "first": 1, "whole": True}, "cut"),
        ({"first": 1}, "cut"),
        ({"whole": True}, "no_answer"),
        ({}, "no_answer"),
        ({"command": True}, "ok"),
    ],
    ids=str,
)
def test_the_outcome_is_the_first_that_applies(fields: dict[str, Any], outcome: str) -> None:
    """And an answer that is whole is recovered where it came after a timeout."""
    read: Answer[int] = Answer(0)
    for name, value in fields.items():
        setattr(read, name, value)
    assert read.outcome == outcome
    assert outcome in OUTCOMES
    assert read.recovered is (outcome == "ok" and "timed_out" in fields)
