"""A server whose dialect nobody knows."""

from __future__ import annotations

import pytest
from opentelemetry.trace import StatusCode

from ailoop_otel import names
from tests.recorder import duration
from tests.scripted import reply, request
from tests.wire.talk import message, refused, stateless, streamed


async def test_its_messages_are_plain_calls_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """No outcome, no first chunk; on whatever connection."""
    talk = await stateless(None)
    other = await stateless(None, talk.server)
    for number in range(3):
        await talk.say(message(number), 0.5, '{"chunk": "x"}', reply(number, {"text": "x"}))
        await other.say(message(number), 0.5, "no json", reply(number, "x"))
    assert talk.exchanges() == []
    assert len(talk.calls("sendUserMessage")) == 6
    spans = talk.recording.spans("sendUserMessage")
    assert {(duration(span), span.status.status_code) for span in spans} == {(0.5, StatusCode.UNSET)}
    assert talk.recording.points("ailoop.exchange.duration") == []
    assert talk.recording.total("ailoop.exchange.active") == 0
    assert [record.getMessage() for record in caplog.records] == [
        "ailoop-otel: this server speaks a dialect that is not known here; its messages get plain call spans only. "
        "A dialect plugin can teach it: docs/dialects.md"
    ]


async def test_its_silence_is_nobody_s_timeout() -> None:
    """Once it is known for a stranger."""
    talk = await stateless(None, first_chunk=1)
    await talk.say(message(1), reply(1, {}))
    await talk.say(message(2), 10.0, talk.server.watchdog.check, reply(2, {}))
    assert talk.recording.spans(names.SPAN_AI_TIMEOUT) == []
    assert duration(talk.recording.spans("sendUserMessage")[1]) == 10


async def test_an_error_is_an_error_in_any_dialect() -> None:
    """JSON-RPC says what it is."""
    talk = await stateless(None)
    await talk.say(message(1), refused(1, -32602))
    assert talk.outcomes() == ["protocol_error"]


async def test_one_that_is_recognised_later_is_no_stranger_from_then_on() -> None:
    """Its first frames told nothing."""
    talk = await stateless(None)
    await talk.say(message(1), reply(1, {}))
    await talk.say(request("echo", 2), *streamed(2, "a")[:1])
    await talk.say(message(3), *streamed(3, "Hi"))
    assert talk.outcomes() == ["ok"]


async def test_the_next_in_line_has_its_turn_when_one_is_forgotten() -> None:
    """So that its clocks run."""
    from tests.wire.talk import acknowledged, delegates

    talk = await delegates(first_chunk=1)
    await talk.say(message(1))
    await talk.say(message(2), reply(1, "strange"), acknowledged(2), 2.0, talk.server.watchdog.check)
    assert len(talk.recording.spans(names.SPAN_AI_TIMEOUT)) == 1
