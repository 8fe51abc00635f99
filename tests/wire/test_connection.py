"""What a connection makes of rarer frames and ends: strange replies, frames from other tasks, faults."""

from __future__ import annotations

import pytest

from ailoop_otel import names
from ailoop_otel.protocol.dialect import Meaning, Notice
from ailoop_otel.wire.connection import Connection
from tests.scripted import SCOPE, SESSION, Server, chunk, reply, request, spaced, update, updates
from tests.wire.talk import acknowledged, delegates, message, stateless, streamed


async def test_a_strange_reply_after_chunks_is_a_whole_answer() -> None:
    """JSON-RPC says that the request succeeded, and its chunks were read."""
    talk = await stateless()
    await talk.say(message(1), *updates("ab"), 0.5, reply(1, {"text": "ab"}))
    (attributes,) = talk.exchanges()
    assert (attributes[names.OUTCOME], attributes[names.STREAM_CHUNKS]) == ("ok", 2)
    assert talk.recording.points("ailoop.exchange.duration")[0].value == 0.5
    await talk.say(message(2), *streamed(2, "a"))
    assert talk.outcomes() == ["ok", "ok"]


async def test_a_message_without_id_that_nothing_answers_is_a_plain_call() -> None:
    """The earlier generation gives it no answer."""
    talk = await delegates()
    await talk.say(message(None), 2.0)
    await talk.say(request("echo", 2), reply(2, {}))
    assert talk.exchanges() == []
    assert len(talk.calls("sendUserMessage")) == 1
    assert talk.recording.total("ailoop.exchange.active") == 0


async def test_a_chunk_that_another_task_cannot_send_shows_that_the_client_has_left() -> None:
    """It names the session; the next frames say no more."""
    talk = await delegates()
    await talk.say(message(1), acknowledged(1))
    talk.server.clock.move(1)
    talk.socket.broken = True
    await talk.elsewhere(chunk("a"))
    talk.server.clock.move(2)
    await talk.elsewhere("{}", chunk("b"))
    talk.server.clock.move(3)
    await talk.leave()
    (attributes,) = talk.exchanges()
    assert attributes[names.OUTCOME] == "disconnected"
    assert attributes[names.ABANDONED_TIME] == 5


async def test_a_chunk_of_the_only_message_is_its_own_where_nothing_else_says_so() -> None:
    """Neither context nor session: the span says how it was found."""
    talk = await stateless(None)
    await talk.say(message(1, session=None))
    await talk.elsewhere(update("a"), update("a"))
    await talk.say(request("echo", 2), reply(1, {"messageId": "m", "status": 0, "ai_response": "a"}))
    (attributes,) = talk.exchanges()
    assert (attributes[names.CORRELATION], attributes[names.SESSION_ID]) == ("connection", SESSION)


async def test_an_acknowledged_command_proves_nothing_of_replies() -> None:
    """Any server replies so to a command; the same to a message proves that replies bring no answers."""
    server = Server()
    connection = Connection(server.state, SCOPE)
    for number, text in enumerate(("/help", "hello")):
        connection.request(message(number, text=text), server.clock.time)
        connection.sent(acknowledged(number), server.clock.time)
        assert connection.traits.reply_answers is (None if number == 0 else False)


async def test_a_first_chunk_begins_the_turn_of_one_that_was_thought_to_wait() -> None:
    """It is silent since its message came, not since then."""
    server = Server()
    connection = Connection(server.state, SCOPE)
    connection.sent(chunk("w", "another"), server.clock.time)
    server.state.ledger.start(SESSION, 0, 0)
    calls = [connection.request(message(number), server.clock.time) for number in (1, 2)]
    second = calls[1].exchange if calls[1] is not None else None
    assert second is not None
    assert second.turn == 0
    server.clock.move(1)
    changed = second.read(server.clock.time, Notice(Meaning.PIECE, SESSION, "a"), 50)
    connection.chunk_sent(second, changed, SESSION, server.clock.time)
    assert second.turn == second.received


async def test_a_frame_of_an_unknown_form_that_names_no_session_may_be_for_each_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of those that are open on its connection; the line in the log names its method."""
    talk = await delegates()
    for number in (1, 2):
        await talk.say(message(number), acknowledged(number))
    await talk.elsewhere(spaced("Foo", {"text": "some words"}))
    await talk.leave()
    assert [attributes[names.UNREAD_FRAMES] for attributes in talk.exchanges()] == [1, 1]
    assert any("(Foo)" in record.getMessage() for record in caplog.records)
