"""Sessions on the wire: started, made without being asked, left, taken up again, stopped, evicted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ailoop_otel import names
from tests.recorder import duration
from tests.scripted import SESSION, chunk, reply, request, status, update
from tests.wire.talk import Talk, acknowledged, answered, delegates, message, refused, stateless, streamed

Open = Callable[..., Awaitable[Talk]]
BOTH = pytest.mark.parametrize("open_", [stateless, delegates])
OTHER = SESSION.replace("0", "f")


def starts(talk: Talk) -> list[Any]:
    """The spans of the sessions that began."""
    return talk.recording.spans(names.SPAN_SESSION_START)


def lives(talk: Talk) -> list[dict[str, Any]]:
    """The attributes of the sessions that ended, in order."""
    return [dict(span.attributes or {}) for span in talk.recording.spans(names.SPAN_SESSION)]


async def hold(talk: Talk, request_id: Any, open_: Open, session: str = SESSION) -> None:
    """One whole exchange."""
    if open_ is stateless:
        frames = [frame.replace(SESSION, session) for frame in streamed(request_id, "Hi")]
        await talk.say(message(request_id, session), *frames)
    else:
        final = chunk("Hi", session, final=True)
        await talk.say(message(request_id, session), acknowledged(request_id), chunk("Hi", session), final)


@BOTH
async def test_a_session_begins_with_its_start_s_reply(open_: Open) -> None:
    """In a trace of its own, linked to the call, with an event."""
    talk = await open_()
    (start,) = starts(talk)
    call = talk.recording.span("startSession")
    assert start.parent is None
    assert start.context.trace_id != call.context.trace_id
    assert [link.context.span_id for link in start.links] == [call.context.span_id]
    (event,) = talk.recording.events(names.EVENT_SESSION_START)
    assert event.attributes == {names.SESSION_ID: SESSION}
    assert event.span_id == start.context.span_id


@BOTH
async def test_a_session_s_end_is_told_at_once(open_: Open) -> None:
    """As span, event and metrics."""
    talk = await open_()
    await hold(talk, 2, open_)
    await talk.say(message(3), refused(3, -32603))
    talk.server.clock.move(60)
    await talk.leave()
    (life,) = lives(talk)
    assert (life[names.SESSION_TURNS], life[names.SESSION_ERRORS]) == (2, 1)
    assert life[names.SESSION_END_REASON] == "disconnected"
    (event,) = talk.recording.events(names.EVENT_SESSION_END)
    assert event.attributes == life
    assert event.trace_id == starts(talk)[0].context.trace_id
    assert talk.recording.points("ailoop.session.turns")[0].value == 2


async def test_an_implicit_session_begins_when_its_id_is_first_seen() -> None:
    """The current generation makes one for a switch of agents; a chunk is the first to name it."""
    talk = await stateless(None)
    await talk.say(message(1, None), 1.0, update("a"), 1.0, update("ab"), answered(1, "ab"))
    (start,) = starts(talk)
    (exchange,) = talk.exchanges()
    assert exchange[names.SESSION_ID] == SESSION
    root = talk.recording.span("sendUserMessage")
    assert [link.context.span_id for link in root.links] == [start.context.span_id]
    assert start.start_time == root.start_time
    await talk.say(message(2, None), answered(2, None))
    assert talk.exchanges()[1][names.SESSION_ID] == SESSION
    await talk.leave()
    assert lives(talk)[0][names.SESSION_TURNS] == 2


async def test_an_implicit_session_of_the_earlier_generation_begins_with_the_acknowledgement() -> None:
    """The client named it, and the server took it."""
    talk = await delegates(None)
    await talk.say(message(1), acknowledged(1))
    assert len(starts(talk)) == 1
    await talk.elsewhere(chunk("a"), chunk("a", final=True))
    assert talk.exchanges()[0][names.SESSION_ID] == SESSION


@BOTH
async def test_a_session_that_only_the_client_names_does_not_begin(open_: Open) -> None:
    """The server refused it."""
    talk = await open_(None)
    await talk.say(message(1), refused(1, -32602))
    assert starts(talk) == []
    assert names.SESSION_ID not in talk.exchanges()[0]


@pytest.mark.parametrize("session", ["two words", "x" * 65, "two words here that are thirty-six c"])
async def test_what_is_no_id_makes_no_session(session: str) -> None:
    """Where a chunk holds something else in its place, that is not recorded: it might be the answer's text."""
    talk = await delegates(None)
    await talk.say(message(1, None), chunk("my secret text, which is long enough", session), acknowledged(1))
    await talk.leave()
    assert starts(talk) == []
    assert names.SESSION_ID not in talk.exchanges()[0]


@BOTH
async def test_a_session_that_was_left_is_taken_up_by_another_socket(open_: Open) -> None:
    """A new start, linked to the old one, and said to be resumed."""
    talk = await open_()
    await hold(talk, 2, open_)
    await talk.leave()
    assert talk.recording.total("ailoop.session.retained") == 1
    second = await open_(None, talk.server)
    await hold(second, 2, open_)
    old, new = starts(talk)
    assert (new.attributes or {})[names.SESSION_RESUMED] is True
    assert names.SESSION_RESUMED not in (old.attributes or {})
    assert [link.context.span_id for link in new.links] == [old.context.span_id]
    assert new.context.trace_id != old.context.trace_id
    assert talk.recording.total("ailoop.session.retained") == 0
    root = talk.recording.spans("sendUserMessage")[1]
    assert [link.context.span_id for link in root.links] == [new.context.span_id]
    await second.leave()
    assert [life[names.SESSION_TURNS] for life in lives(talk)] == [1, 1]
    assert talk.recording.total("ailoop.session.retained") == 1


@BOTH
async def test_a_session_in_use_by_two_sockets_ends_with_the_last(open_: Open) -> None:
    """Whichever that is."""
    talk = await open_()
    second = await open_(None, talk.server)
    await hold(second, 2, open_)
    await talk.leave()
    assert lives(talk) == []
    await hold(second, 3, open_)
    await second.leave()
    assert [life[names.SESSION_TURNS] for life in lives(talk)] == [2]
    assert len(starts(talk)) == 1


async def test_a_session_that_failed_ends_with_error() -> None:
    """The earlier generation's loop has ended, and answers nothing more."""
    talk = await delegates()
    await talk.say(message(2), acknowledged(2), chunk("a"))
    await talk.elsewhere(status(3, "Session ended: error"))
    assert talk.outcomes() == ["ai_error"]
    (life,) = lives(talk)
    assert life[names.SESSION_END_REASON] == "error"
    assert (life[names.SESSION_TURNS], life[names.SESSION_ERRORS]) == (1, 1)


@BOTH
async def test_the_oldest_session_is_evicted_when_there_are_too_many(open_: Open) -> None:
    """And taken up again when it is heard of."""
    talk = await open_(max_sessions=2)
    others = [await open_(SESSION[:-1] + digit, talk.server) for digit in "ab"]
    assert [life[names.SESSION_END_REASON] for life in lives(talk)] == ["evicted"]
    assert lives(talk)[0][names.SESSION_ID] == SESSION
    assert len(talk.server.state.ledger) == 2
    await hold(talk, 2, open_)
    assert (starts(talk)[3].attributes or {})[names.SESSION_RESUMED] is True
    assert talk.exchanges()[0][names.SESSION_ID] == SESSION
    for socket in (talk, *others):
        await socket.leave()
    assert len(lives(talk)) == len(starts(talk))
    assert talk.recording.total("ailoop.session.active") == 0
    assert len(talk.server.state.ledger._left) <= 2


async def test_a_socket_whose_own_session_ended_finds_its_next() -> None:
    """The one that its chunks name."""
    talk = await stateless()
    await talk.say(request("stopSession", 9, sessionId=SESSION), reply(9, {"status": 2}))
    await talk.say(message(2, None), *[frame.replace(SESSION, OTHER) for frame in streamed(2, "a")])
    await talk.say(message(3, None), answered(3, None))
    assert [exchange.get(names.SESSION_ID) for exchange in talk.exchanges()] == [OTHER, OTHER]


async def test_the_latest_session_of_a_socket_gets_its_messages_in_the_current_generation() -> None:
    """Whatever id they name; the frames name that session."""
    talk = await stateless()
    await talk.say(request("startSession", 8), reply(8, {"sessionId": OTHER, "status": 1}))
    await talk.say(message(2), *[frame.replace(SESSION, OTHER) for frame in streamed(2, "Hi")])
    assert talk.exchanges()[0][names.SESSION_ID] == OTHER


async def test_a_message_goes_to_the_session_it_names_in_the_earlier_generation() -> None:
    """Whatever the socket started."""
    talk = await delegates()
    await talk.say(request("startSession", 8), reply(8, {"sessionId": OTHER, "status": 1}))
    await hold(talk, 2, delegates)
    assert talk.exchanges()[0][names.SESSION_ID] == SESSION


@BOTH
async def test_the_trace_of_a_session_lasts_as_long_as_it(open_: Open) -> None:
    """From the moment its start was asked for."""
    talk = await Talk((await open_(None)).server).open()
    await talk.say(request("startSession", 1), 2.0, reply(1, {"sessionId": SESSION, "status": 1}), 5.0)
    await talk.leave()
    assert duration(starts(talk)[0]) == 2
    assert duration(talk.recording.span(names.SPAN_SESSION)) == 7
