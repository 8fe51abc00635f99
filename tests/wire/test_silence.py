"""AI timeouts on the wire: three phases, their clocks, and what comes after."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from ailoop_otel import names
from tests.recorder import EPOCH, duration
from tests.scripted import chunk, status, update
from tests.wire.talk import Talk, acknowledged, answered, delegates, message, stateless, streamed


def told(talk: Talk) -> list[Any]:
    """The phases of the timeouts, in the order in which they were told."""
    spans = talk.recording.spans(names.SPAN_AI_TIMEOUT)
    return [span.attributes[names.TIMEOUT_PHASE] for span in spans if span.attributes]


def check(talk: Talk) -> Any:
    """What the watchdog's thread does when it wakes."""
    return talk.server.watchdog.check


async def test_all_three_phases_are_told_once_each_while_the_exchange_hangs() -> None:
    """However long the silence goes on."""
    talk = await stateless(first_chunk=10, stall=20, total=100)
    look = check(talk)
    await talk.say(message(2), 10.0, look, 50.0, look, update("a"), 20.0, look, 15.0, update("ab"), 100.0, look, look)
    assert told(talk) == ["first_chunk", "stall", "total"]
    assert talk.exchanges() == []
    await talk.leave()
    assert len(told(talk)) == 3


async def test_a_timeout_is_a_span_an_event_a_count_and_a_delay() -> None:
    """All with the exchange's trace, while it is open."""
    talk = await stateless(first_chunk=10)
    await talk.say(message(2), 10.25, check(talk))
    span = talk.recording.span(names.SPAN_AI_TIMEOUT)
    attributes = dict(span.attributes or {})
    assert attributes[names.TIMEOUT_DEADLINE] == 10
    assert attributes[names.TIMEOUT_DETECTION_DELAY] == 0.25
    assert attributes[names.TIMEOUT_WAITING_FOR] == "unknown"
    assert attributes[names.ERROR_TYPE] == "ai_timeout"
    assert span.status.status_code is StatusCode.ERROR
    assert span.parent is not None
    (event,) = talk.recording.events(names.EVENT_AI_TIMEOUT)
    assert event.attributes == attributes
    assert (event.trace_id, event.span_id) == (span.context.trace_id, span.context.span_id)
    assert event.timestamp == span.end_time == EPOCH + talk.server.clock.time
    (error,) = talk.recording.points("ailoop.errors")
    assert error.labels[names.OUTCOME] == error.labels[names.ERROR_TYPE] == "ai_timeout"
    (delay,) = talk.recording.points("ailoop.ai_timeout.detection_delay")
    assert (delay.value, delay.count) == (0.25, 1)
    await talk.leave()
    assert talk.recording.span("sendUserMessage").context.span_id == span.parent.span_id


async def test_a_stall_is_measured_from_the_last_chunk() -> None:
    """Not from the message, nor from a frame that is no chunk."""
    talk = await stateless(stall=5, first_chunk=0, total=0)
    look = check(talk)
    await talk.say(message(2), 30.0, update("a"), 4.0, look, update("ab"), 3.0, update("ab"), 1.5, look, 0.5, look)
    span = talk.recording.span(names.SPAN_AI_TIMEOUT)
    assert duration(span) == 5.0
    assert (span.attributes or {})[names.TIMEOUT_PHASE] == "stall"


async def test_a_stall_is_looked_for_from_the_first_chunk_on() -> None:
    """Also where the deadline that was known before is further away, or there was none."""
    further: dict[str, Any] = {"first_chunk": 100, "stall": 1}
    for settings in (further, {**further, "first_chunk": 0, "total": 0}):
        talk = await stateless(**settings)
        await talk.say(message(2), check(talk), 0.5, update("a"), check(talk), 1.0, check(talk))
        assert told(talk) == ["stall"]
        (delay,) = talk.recording.points("ailoop.ai_timeout.detection_delay")
        assert delay.value == 0


async def test_a_silence_before_the_first_chunk_runs_from_the_message() -> None:
    """An empty update is no sign of life, nor is a status notice or an acknowledgement."""
    talk = await stateless(first_chunk=5)
    await talk.say(message(2), 1.0, update(""), 4.0, check(talk))
    assert duration(talk.recording.span(names.SPAN_AI_TIMEOUT)) == 5
    other = await delegates(first_chunk=5)
    await other.say(message(2), 1.0, acknowledged(2), 1.0, status(1, "Active"), 3.0, check(other))
    assert duration(other.recording.span(names.SPAN_AI_TIMEOUT)) == 5


@pytest.mark.parametrize(
    ("settings", "phases"),
    [
        ({"first_chunk": 0}, ["stall", "total"]),
        ({"stall": 0}, ["first_chunk", "total"]),
        ({"total": 0}, ["first_chunk", "stall"]),
        ({"first_chunk": 0, "stall": 0}, ["total"]),
        ({"stall": 0, "total": 0}, ["first_chunk"]),
        ({"first_chunk": 0, "total": 0}, ["stall"]),
        ({"first_chunk": 0, "stall": 0, "total": 0}, []),
    ],
)
async def test_0_switches_a_phase_off(settings: dict[str, Any], phases: list[str]) -> None:
    """And no other."""
    talk = await stateless(**{"first_chunk": 1, "stall": 1, "total": 5, **settings})
    look = check(talk)
    await talk.say(message(2), look, 2.0, look, update("a"), look, 2.0, look, 9.0, look)
    assert told(talk) == phases


async def test_a_whole_answer_that_comes_after_all_is_recovered() -> None:
    """It keeps its outcome; nobody was told of a failure."""
    talk = await stateless(first_chunk=1)
    await talk.say(message(2), 2.0, check(talk), *streamed(2, "Hi"))
    (exchange,) = talk.exchanges()
    assert exchange[names.OUTCOME] == "ok"
    assert exchange[names.TIMEOUT_RECOVERED] is True
    assert talk.recording.points("ailoop.ai_timeout.report_delay") == []
    assert talk.recording.span("sendUserMessage").status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    "frames",
    [
        [answered(2, None)],
        [answered(2, "")],
        [update("a"), answered(2, "a")],
        [update("a"), update("ab"), answered(2, "ab")],
    ],
)
async def test_an_answer_that_never_became_whole_is_an_ai_timeout(frames: list[str]) -> None:
    """The delay until the client was told is that of the reply."""
    talk = await stateless(first_chunk=1)
    await talk.say(message(2), 1.0, check(talk), 4.0, *frames)
    (exchange,) = talk.exchanges()
    assert exchange[names.OUTCOME] == exchange[names.ERROR_TYPE] == "ai_timeout"
    assert exchange[names.TIMEOUT_RECOVERED] is False
    (delay,) = talk.recording.points("ailoop.ai_timeout.report_delay")
    assert (delay.value, delay.count) == (4.0, 1)
    assert talk.recording.total("ailoop.errors") == 1


async def test_a_client_that_leaves_after_a_timeout_was_never_told() -> None:
    """So there is no delay until it was."""
    talk = await stateless(first_chunk=1)
    await talk.say(message(2), 1.0, check(talk))
    await talk.leave()
    assert talk.outcomes() == ["disconnected"]
    assert talk.exchanges()[0][names.TIMEOUT_RECOVERED] is False
    assert talk.recording.points("ailoop.ai_timeout.report_delay") == []


async def test_the_clocks_of_a_queued_message_start_with_its_turn() -> None:
    """And its span tells the wait from there."""
    talk = await delegates(first_chunk=10, total=30)
    look = check(talk)
    await talk.say(message(2), acknowledged(2))
    await talk.say(message(3), acknowledged(3))
    await talk.elsewhere(9.0, look, chunk("a"), 9.0, chunk("a", final=True), 9.0, look)
    assert told(talk) == []
    await talk.elsewhere(1.0, look)
    span = talk.recording.span(names.SPAN_AI_TIMEOUT)
    assert duration(span) == 10
    await talk.elsewhere(20.0, look)
    assert told(talk) == ["first_chunk", "total"]


async def test_the_servers_own_notice_after_ours_is_no_second_detection() -> None:
    """It is the report."""
    talk = await delegates(first_chunk=3)
    await talk.say(message(2), acknowledged(2), 3.0, check(talk), 7.0, status(3, "timeout"))
    assert told(talk) == ["first_chunk"]
    (delay,) = talk.recording.points("ailoop.ai_timeout.report_delay")
    assert delay.value == 7


async def test_both_delays_are_told_where_the_server_noticed_first() -> None:
    """The notice is the detection, and what tells the client: both are 0."""
    talk = await delegates()
    await talk.say(message(2), acknowledged(2), chunk("a"), 10.0, status(3, "timeout"))
    assert told(talk) == ["total"]
    for metric in ("detection", "report"):
        (delay,) = talk.recording.points(f"ailoop.ai_timeout.{metric}_delay")
        assert (delay.value, delay.count) == (0, 1)
    assert talk.outcomes() == ["ai_timeout"]
    assert duration(talk.recording.span(names.SPAN_AI_TIMEOUT)) == 10


async def test_nobody_waits_for_an_answer_to_a_client_that_left() -> None:
    """The AI's silence is not told then."""
    talk = await stateless(first_chunk=1, stall=1)

    def leave() -> None:
        talk.socket.broken = True

    await talk.say(message(2), update("a"), leave, update("ab"), 10.0, check(talk))
    assert told(talk) == []
    await talk.leave()
