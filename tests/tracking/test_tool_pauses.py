"""While tools run the clocks of silence stand still, and nothing else does."""

from __future__ import annotations

import pytest

from ailoop_otel import names
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.tracking.exchange import Exchange
from tests.exchanges import STATELESS, UPDATE, opened
from tests.naps import phases, unstarted
from tests.recorder import Recording, duration
from tests.scripted import update


def run_tools(recording: Recording, exchange: Exchange, seconds: float) -> None:
    """A batch of tools that takes so long."""
    exchange.tools_running += 1
    recording.clock.move(seconds)
    exchange.tools_running -= 1


def test_every_batch_of_tools_is_a_pause_of_the_first_chunk_clock() -> None:
    """The pauses add up: it goes on from where it stood, after the second batch as after the first."""
    recording = Recording(first_chunk=10, stall=0, total=0)
    watchdog = unstarted(recording)
    exchange = opened(recording)
    watchdog.watch(exchange)
    for _ in range(2):
        recording.clock.move(4)
        run_tools(recording, exchange, 25)
        watchdog.check()
    assert phases(recording) == []
    recording.clock.move(1.999)
    watchdog.check()
    assert phases(recording) == []
    assert exchange.due(watchdog.deadlines) == (exchange.turn + 60 * SECOND, "first_chunk")
    recording.clock.move(0.001)
    watchdog.check()
    assert phases(recording) == ["first_chunk"]
    assert exchange.timeouts[0].noticed - exchange.timeouts[0].due == 0


def test_a_stall_counts_from_the_latest_batch_of_tools() -> None:
    """What was silent before it is forgiven."""
    recording = Recording(first_chunk=0, stall=10, total=0)
    watchdog = unstarted(recording)
    exchange = opened(recording)
    exchange.traits = STATELESS
    exchange.take(recording.clock.time, update("a"), UPDATE)
    watchdog.watch(exchange)
    for _ in range(2):
        recording.clock.move(9)
        run_tools(recording, exchange, 25)
        watchdog.check()
    recording.clock.move(9.999)
    watchdog.check()
    assert phases(recording) == []
    recording.clock.move(0.001)
    watchdog.check()
    assert phases(recording) == ["stall"]


@pytest.mark.parametrize("at_work", [1, 2])
def test_the_total_deadline_passes_while_a_tool_hangs(at_work: int) -> None:
    """A tool pauses the clocks of silence only: an exchange that hangs in one is reported after its total time."""
    recording = Recording(first_chunk=10, stall=10, total=60)
    watchdog = unstarted(recording)
    exchange = opened(recording)
    watchdog.watch(exchange)
    exchange.waiting_for = "tool"
    exchange.tools_running = at_work
    recording.clock.move(59.999)
    watchdog.check()
    assert phases(recording) == []
    recording.clock.move(0.001)
    watchdog.check()
    assert phases(recording) == ["total"]
    (span,) = recording.spans(names.SPAN_AI_TIMEOUT)
    assert (span.attributes or {})[names.TIMEOUT_WAITING_FOR] == "tool"
    recording.clock.move(60)
    watchdog.check()
    assert phases(recording) == ["total"]


def test_a_message_ends_no_sooner_than_the_timeout_that_was_noticed_in_it() -> None:
    """A timeout without length is lengthened; the message that ends at the same moment is, too."""
    recording = Recording()
    exchange = opened(recording)
    exchange.traits = STATELESS
    for text in ("a", "ab"):
        recording.clock.move(1)
        exchange.take(recording.clock.time, update(text), UPDATE)
    exchange.record_timeout(exchange.notice("total", SECOND, recording.clock.time, recording.clock.time))
    exchange.end(recording.clock.time)
    root, timeout = recording.span("sendUserMessage"), recording.span(names.SPAN_AI_TIMEOUT)
    assert duration(timeout) == pytest.approx(1e-6)
    assert (timeout.end_time or 0) <= (root.end_time or 0)


def test_a_timeout_that_is_noticed_while_the_message_ends_is_in_it() -> None:
    """The watchdog's thread may read the clock after the event loop has read it for the end."""
    recording = Recording()
    exchange = opened(recording)
    recording.clock.move(1)
    end = recording.clock.time
    recording.clock.move(0.01)
    exchange.record_timeout(exchange.notice("first_chunk", SECOND, end, recording.clock.time))
    exchange.end(end)
    root, timeout = recording.span("sendUserMessage"), recording.span(names.SPAN_AI_TIMEOUT)
    assert duration(timeout) == pytest.approx(1.01)
    assert (timeout.end_time or 0) <= (root.end_time or 0)


def test_a_tool_beside_another_does_not_move_the_beginning_of_the_pause() -> None:
    """It lasts from the first tool's beginning to the last one's end."""
    recording = Recording()
    exchange = opened(recording)
    for count in (1, 2, 1, 0):
        exchange.tools_running = count
        recording.clock.move(5)
    assert exchange.grace == 15 * SECOND
    assert exchange.quiet == exchange.received + 15 * SECOND
