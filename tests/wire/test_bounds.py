"""What is followed is bounded, whatever a client or server does."""

from __future__ import annotations

import pytest

from ailoop_otel import names
from tests.scripted import Server, chunk, reply, request
from tests.wire.talk import acknowledged, answered, delegates, message, stateless, streamed


@pytest.mark.fault(
    "clients",
    theirs="More messages at once than we follow",
    promise="Passed on, and counted",
)
async def test_a_message_beyond_the_most_is_passed_on_unseen_and_counted() -> None:
    """It gets no trace, and the next does that there is room for again."""
    first = await delegates(max_exchanges=1)
    await first.say(message(2), acknowledged(2))
    second = await delegates(None, first.server)
    await second.say(message(3), acknowledged(3))
    assert len(first.server.state.exchanges) == 1
    assert first.recording.telemetry.refused == 1
    assert len(second.socket.sent) == 1
    await first.elsewhere(chunk("a"), chunk("a", final=True))
    assert first.outcomes() == ["ok"]
    await second.say(message(4), acknowledged(4), chunk("b"), chunk("b", final=True))
    assert first.outcomes() == ["ok", "ok"]


async def test_unanswered_calls_are_bounded() -> None:
    """AILoop answers one after the other; where a server does not, the oldest are let go, and say no error."""
    talk = await stateless()
    for number in range(1000):
        await talk.say(request("echo", number))
    (connection,) = talk.server.state.connections
    assert len(connection.calls) <= 64
    assert len(talk.calls("echo")) == 1000 - len(connection.calls)
    assert not any(names.ERROR_TYPE in call for call in talk.calls("echo"))
    await talk.leave()
    assert len(talk.calls("echo")) == 1000


async def test_unanswered_messages_are_bounded_too() -> None:
    """And so are the calls behind them."""
    talk = await stateless()
    await talk.say(message(-1))
    for number in range(1000):
        await talk.say(request("echo", number))
    (connection,) = talk.server.state.connections
    assert len(connection.calls) <= 64
    for number in range(1000):
        await talk.say(message(number))
    assert len(connection.calls) <= 64
    assert len(talk.server.state.exchanges) <= 64
    assert talk.recording.total("ailoop.exchange.active") <= 64
    await talk.leave()
    assert talk.recording.total("ailoop.exchange.active") == 0


async def test_an_exchange_that_ended_unanswered_takes_no_room() -> None:
    """The reply that it might still get is waited for no longer."""
    talk = await delegates()
    for number in range(100):
        await talk.say(message(number))
        await talk.elsewhere(chunk("a"), chunk("a", final=True), acknowledged("nobody's"))
    (connection,) = talk.server.state.connections
    assert len(connection.calls) <= 64


@pytest.mark.parametrize("most", [1, 3])
async def test_sessions_are_bounded_those_that_were_left_too(most: int) -> None:
    """The oldest goes first."""
    server = Server(max_sessions=most)
    for number in range(10):
        talk = await stateless(f"session-{number}", server)
        await talk.say(message(1), *streamed(1, "Hi"))
        assert len(server.state.ledger) <= most
        await talk.leave()
        assert len(server.state.ledger._left) <= most
    assert server.recording.total("ailoop.session.retained") == 10


async def test_queues_are_gone_when_they_are_empty() -> None:
    """A session that says nothing costs nothing."""
    talk = await delegates()
    for number in range(5):
        await talk.say(message(number), acknowledged(number))
    assert len(talk.server.state.queues) == 1
    await talk.leave()
    assert len(talk.server.state.queues) == 0


async def test_a_call_keeps_no_frame() -> None:
    """What a client sent is not held until it is answered."""
    talk = await stateless()
    await talk.say(request("echo", 1, message="x" * 1_000_000))
    (connection,) = talk.server.state.connections
    held = [getattr(connection.calls[0], name) for name in ("method", "session_id", "key")]
    assert all(len(str(value)) < 100 for value in held)
    await talk.say(message(2, text="/" + "y" * 1_000_000), answered(2, "z"), reply(1, "x"))
    assert connection.calls == []
