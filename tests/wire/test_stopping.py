"""Sessions that are stopped, and what becomes of their answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ailoop_otel import names
from tests.scripted import SESSION, chunk, reply, request, status, update
from tests.wire.talk import Talk, acknowledged, answered, delegates, message, stateless

Open = Callable[..., Awaitable[Talk]]
BOTH = pytest.mark.parametrize("open_", [stateless, delegates])
OTHER = SESSION.replace("0", "f")


def lives(talk: Talk) -> list[dict[str, Any]]:
    """The attributes of the sessions that ended, in order."""
    return [dict(span.attributes or {}) for span in talk.recording.spans(names.SPAN_SESSION)]


async def test_stopping_ends_a_session_of_the_current_generation_and_not_its_answer() -> None:
    """The answer goes on to its end."""
    talk = await stateless()
    other = await stateless(None, talk.server)

    async def stop() -> None:
        await other.say(request("stopSession", 9, sessionId=SESSION), reply(9, {"status": 2}))

    await talk.say(message(2, text="x"), update("a"))
    await stop()
    assert [life[names.SESSION_END_REASON] for life in lives(talk)] == ["stopped"]
    assert talk.exchanges() == []
    await talk.elsewhere(update("ab"), update("ab"), answered(2, "ab"))
    assert talk.outcomes() == ["ok"]
    await talk.leave()
    assert len(lives(talk)) == 1
    assert talk.recording.total("ailoop.session.retained") == 0


async def test_stopping_cuts_the_answers_of_the_earlier_generation() -> None:
    """The streaming one and those in the queue, acknowledged or not."""
    talk = await delegates()
    other = await delegates(None, talk.server)
    await talk.say(message(2), acknowledged(2), chunk("a"))
    await talk.say(message(3), acknowledged(3))
    await talk.say(message(4))
    await other.say(request("stopSession", 9, sessionId=SESSION))
    await talk.elsewhere(status(2, "Session ended: stopped"), status(2, "Session stopped"))
    assert talk.outcomes() == ["cancelled", "cancelled"]
    await talk.elsewhere(acknowledged(4))
    await other.elsewhere(reply(9, {"status": 2}))
    assert talk.outcomes() == ["cancelled"] * 3
    assert [life[names.SESSION_END_REASON] for life in lives(talk)] == ["stopped"]
    assert talk.server.state.exchanges == set()


async def test_a_message_that_is_acknowledged_after_its_session_stopped_is_cancelled() -> None:
    """The server drops it silently, so there is nothing to wait for."""
    talk = await delegates()
    await talk.say(message(2))
    await talk.elsewhere(status(2, "Session stopped"), acknowledged(2))
    assert talk.outcomes() == ["cancelled"]


@BOTH
async def test_stopping_a_session_that_was_left_frees_it(open_: Open) -> None:
    """It ended when it was left; now the server keeps it no longer."""
    talk = await open_()
    await talk.leave()
    other = await open_(None, talk.server)
    await other.say(request("stopSession", 9, sessionId=SESSION), reply(9, {"status": 2}))
    assert talk.recording.total("ailoop.session.retained") == 0
    assert len(lives(talk)) == 1


@BOTH
async def test_stopping_nothing_stops_nothing(open_: Open) -> None:
    """The server says `status: 2` to any id."""
    talk = await open_()
    for params in ({"sessionId": OTHER}, {}, {"sessionId": 7}):
        await talk.say(request("stopSession", 9, **params), reply(9, {"status": 2}))
    assert lives(talk) == []
    assert talk.recording.total("ailoop.session.active") == 1
