"""What is recorded of an exchange: each span, metric and log event with all that it carries."""

from __future__ import annotations

from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.protocol.dialect import Meaning, Notice, Reply, ReplyKind
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.tracking.exchange import Exchange, TimeBreakdown, current_exchange
from tests.exchanges import DELEGATES, PIECE, STATELESS, UPDATE, opened
from tests.recorder import EPOCH, Point, Recording, duration
from tests.scripted import SESSION, chunk, update

NAME = "stateless"
LABELS = {names.DIALECT: NAME, names.GEN_AI_AGENT_NAME: "alice", names.GEN_AI_REQUEST_MODEL: "m1"}


@pytest.fixture
def recording() -> Recording:
    """A new one for each test."""
    return Recording()


def begun(recording: Recording, **fields: Any) -> Exchange:
    """An exchange of the current generation with a session, an agent and a model."""
    exchange = opened(recording, session=SESSION)
    exchange.traits, exchange.agent, exchange.model = STATELESS, "alice", "m1"
    for name, value in fields.items():
        setattr(exchange, name, value)
    return exchange


def stream(recording: Recording, exchange: Exchange, *texts: str) -> None:
    """Updates one second apart."""
    for text in texts:
        recording.clock.move(1)
        if exchange.take(recording.clock.time, update(text), UPDATE):
            exchange.record_first_chunk()


def reply(recording: Recording, exchange: Exchange, text: str) -> None:
    """The reply half a second later."""
    recording.clock.move(0.5)
    exchange.reply(recording.clock.time, Reply(ReplyKind.ANSWER, text), 100)


def of_trace(recording: Recording, exchange: Exchange, name: str) -> Any:
    """The only span of a name, which is a child of the exchange's."""
    span = recording.span(name)
    assert span.parent is not None
    assert span.parent.span_id == exchange.span.get_span_context().span_id
    return span


# --- Its beginning ---------------------------------------------------------------------------------------------
def test_a_new_exchange_waits_for_its_turn(recording: Recording) -> None:
    """Nothing has been seen of it, and it is counted as open."""
    exchange = opened(recording, queued=True)
    assert recording.telemetry.open_exchanges == 1
    assert (exchange.turn, exchange.grace, exchange.quiet, exchange.tools_running, exchange.alarm) == (0, 0, 0, 0, -1)
    nothing = (exchange.session_id, exchange.error_type, exchange.breakdown, exchange.agent, exchange.model)
    assert nothing == (None,) * 5
    assert (exchange.home, exchange.timeouts, exchange.ended) == (None, (), False)
    assert (exchange.correlation, exchange.waiting_for) == ("context", "unknown")
    assert current_exchange() is None


def test_without_a_wire_it_ends_by_itself(recording: Recording) -> None:
    """And nobody watches it."""
    exchange = opened(recording)
    exchange.rearm(exchange)
    exchange.finish(exchange, recording.clock.time + SECOND)
    assert duration(recording.span("sendUserMessage")) == 1


# --- An answer that came ---------------------------------------------------------------------------------------
def test_a_whole_answer_is_recorded_with_all_that_is_known(recording: Recording) -> None:
    """First chunk after one second, stream of two, end half a second after it."""
    exchange = begun(recording)
    stream(recording, exchange, "a", "abc", "abc")
    reply(recording, exchange, "abc")
    assert exchange.end(recording.clock.time) == "ok"
    size = sum(len(update(text)) for text in ("a", "abc", "abc"))
    root = recording.span("sendUserMessage")
    assert dict(root.attributes or {}) == {
        names.OUTCOME: "ok",
        names.DIALECT: NAME,
        names.CORRELATION: "context",
        names.MESSAGE_SIZE: 10,
        names.ANSWER_SIZE: 3,
        names.STREAM_CHUNKS: 2,
        names.STREAM_SIZE: size,
        names.TIME_TO_FIRST_CHUNK: 1.0,
    }
    assert (root.start_time, root.end_time) == (EPOCH + exchange.received, EPOCH + recording.clock.time)
    assert root.status.is_unset
    first = of_trace(recording, exchange, names.SPAN_FIRST_CHUNK)
    assert (first.start_time, duration(first)) == (root.start_time, 1)
    assert dict(first.attributes) == {names.SESSION_ID: SESSION}
    chunks = of_trace(recording, exchange, names.SPAN_STREAM)
    assert (chunks.start_time, duration(chunks)) == (first.end_time, 1)
    assert dict(chunks.attributes) == {
        names.SESSION_ID: SESSION,
        names.STREAM_CHUNKS: 2,
        names.STREAM_SIZE: size,
        names.STREAM_MAX_GAP: 1.0,
    }
    assert recording.points(names.METRIC_EXCHANGE_DURATION.name) == [Point({**LABELS, names.OUTCOME: "ok"}, 3.5, 1)]
    assert recording.points(names.METRIC_FIRST_CHUNK.name) == [Point({**LABELS, names.OUTCOME: "ok"}, 1.0, 1)]
    assert recording.points(names.METRIC_COMMAND_DURATION.name) == []
    assert recording.points(names.METRIC_ERRORS.name) == []
    assert recording.points(names.METRIC_REPORT_DELAY.name) == []


def test_what_was_streamed_stands_for_the_answer_where_no_reply_came(recording: Recording) -> None:
    """Cut, so it is an error; without agent, model or session none is named."""
    exchange = opened(recording)
    exchange.traits = STATELESS
    stream(recording, exchange, "abcd")
    exchange.end(recording.clock.time)
    attributes = dict(recording.span("sendUserMessage").attributes or {})
    assert (attributes[names.ANSWER_SIZE], attributes[names.OUTCOME]) == (4, "cut")
    assert attributes[names.ERROR_TYPE] == "cut"
    assert not recording.span("sendUserMessage").status.is_ok
    assert not recording.span(names.SPAN_FIRST_CHUNK).attributes
    labels = {names.DIALECT: NAME, names.OUTCOME: "cut"}
    assert recording.points(names.METRIC_EXCHANGE_DURATION.name) == [Point(labels, 1, 1)]
    assert recording.points(names.METRIC_FIRST_CHUNK.name) == [Point(labels, 1, 1)]
    assert recording.points(names.METRIC_ERRORS.name) == [Point({**labels, names.ERROR_TYPE: "cut"}, 1, 0)]


def test_a_command_is_counted_by_itself_and_is_no_exchange(recording: Recording) -> None:
    """As in reports; one that fails is an exchange as any other."""
    done, failed = begun(recording, command=True, whole=True), begun(recording, command=True)
    failed.refuse(-32603)
    recording.clock.move(2)
    assert (done.end(recording.clock.time), failed.end(recording.clock.time)) == ("ok", "server_error")
    assert recording.points(names.METRIC_COMMAND_DURATION.name) == [Point({names.DIALECT: NAME}, 2.0, 1)]
    labels = {**LABELS, names.OUTCOME: "server_error"}
    assert recording.points(names.METRIC_EXCHANGE_DURATION.name) == [Point(labels, 2.0, 1)]


def test_an_error_reply_and_a_client_that_left_are_on_its_span(recording: Recording) -> None:
    """The code as text, and for how long the server went on."""
    refused, left = opened(recording), opened(recording)
    refused.refuse(-32602)
    left.left = recording.clock.time + SECOND
    recording.clock.move(3)
    refused.end(recording.clock.time)
    left.end(recording.clock.time)
    first, second = (dict(span.attributes or {}) for span in recording.spans("sendUserMessage"))
    assert (first[names.RPC_STATUS], first[names.OUTCOME]) == ("-32602", "protocol_error")
    assert (second[names.ABANDONED_TIME], second[names.OUTCOME]) == (2.0, "disconnected")
    assert names.RPC_STATUS not in second
    assert names.ABANDONED_TIME not in first


def test_where_frames_were_not_read_their_number_is_recorded_and_no_figure_of_the_stream(recording: Recording) -> None:
    """Neither chunks nor first chunk, as span, attribute or metric."""
    exchange = begun(recording)
    exchange.unreadable()
    stream(recording, exchange, "a", "ab", "ab")
    reply(recording, exchange, "abc")
    exchange.end(recording.clock.time)
    attributes = dict(recording.span("sendUserMessage").attributes or {})
    assert attributes[names.UNREAD_FRAMES] == 1
    assert not {names.STREAM_CHUNKS, names.STREAM_SIZE, names.TIME_TO_FIRST_CHUNK} & set(attributes)
    assert recording.spans(names.SPAN_STREAM) == recording.spans(names.SPAN_FIRST_CHUNK) == []
    assert recording.points(names.METRIC_FIRST_CHUNK.name) == []


def test_where_the_answer_covers_what_was_read_the_first_chunk_is_recorded_at_the_end(recording: Recording) -> None:
    """Once, with its own time: the frames that were not read carried none of the answer."""
    exchange = begun(recording)
    exchange.unreadable()
    stream(recording, exchange, "a", "abc", "abc")
    assert recording.points(names.METRIC_FIRST_CHUNK.name) == []
    reply(recording, exchange, "abc")
    exchange.end(recording.clock.time)
    assert recording.points(names.METRIC_FIRST_CHUNK.name) == [Point({**LABELS, names.OUTCOME: "ok"}, 1.0, 1)]
    assert duration(recording.span(names.SPAN_FIRST_CHUNK)) == 1
    assert duration(recording.span(names.SPAN_STREAM)) == 1


def test_pieces_are_measured_by_their_text(recording: Recording) -> None:
    """The answer's size is the sum of theirs."""
    exchange = opened(recording)
    exchange.traits = DELEGATES
    for text in ("ab", "cde"):
        exchange.take(recording.clock.time, chunk(text), PIECE)
    exchange.end(recording.clock.time)
    assert (recording.span("sendUserMessage").attributes or {})[names.ANSWER_SIZE] == 5


# --- Timeouts --------------------------------------------------------------------------------------------------
def test_a_timeout_is_recorded_with_all_that_is_known(recording: Recording) -> None:
    """Noticed half a second late; reported to the client two seconds after that."""
    exchange = begun(recording, waiting_for="model")
    recording.clock.move(5.5)
    due, noticed = exchange.received + 5 * SECOND, recording.clock.time
    timeout = exchange.notice("first_chunk", 5 * SECOND, due, noticed)
    assert timeout == ("first_chunk", 5 * SECOND, exchange.turn, due, noticed)
    exchange.record_timeout(timeout)
    span = of_trace(recording, exchange, names.SPAN_AI_TIMEOUT)
    expected = {
        names.SESSION_ID: SESSION,
        names.TIMEOUT_PHASE: "first_chunk",
        names.TIMEOUT_DEADLINE: 5.0,
        names.TIMEOUT_DETECTION_DELAY: 0.5,
        names.TIMEOUT_WAITING_FOR: "model",
        names.ERROR_TYPE: "ai_timeout",
    }
    assert dict(span.attributes) == expected
    assert (span.start_time, span.end_time) == (EPOCH + exchange.turn, EPOCH + noticed)
    assert not span.status.is_unset
    (event,) = recording.events(names.EVENT_AI_TIMEOUT)
    assert (dict(event.attributes), event.timestamp, event.span_id) == (expected, span.end_time, span.context.span_id)
    labels = {names.DIALECT: NAME, names.TIMEOUT_PHASE: "first_chunk"}
    assert recording.points(names.METRIC_DETECTION_DELAY.name) == [Point(labels, 0.5, 1)]
    recording.clock.move(2)
    exchange.read(recording.clock.time, Notice(Meaning.FAILED, SESSION), 0)
    assert exchange.end(recording.clock.time) == "ai_timeout"
    assert recording.points(names.METRIC_REPORT_DELAY.name) == [Point(labels, 2.0, 1)]
    assert (recording.span("sendUserMessage").attributes or {})[names.TIMEOUT_RECOVERED] is False
    error = {names.DIALECT: NAME, names.OUTCOME: "ai_timeout", names.ERROR_TYPE: "ai_timeout"}
    assert recording.points(names.METRIC_ERRORS.name) == [Point(error, 1, 0)]


def test_a_stall_is_silence_since_the_last_chunk(recording: Recording) -> None:
    """And one that is noticed before its time is not late."""
    exchange = begun(recording)
    stream(recording, exchange, "a", "ab")
    recording.clock.move(3)
    timeout = exchange.notice("stall", 3 * SECOND, recording.clock.time + SECOND, recording.clock.time)
    exchange.record_timeout(timeout)
    assert timeout.since == exchange.last
    assert duration(recording.span(names.SPAN_AI_TIMEOUT)) == 3
    (point,) = recording.points(names.METRIC_DETECTION_DELAY.name)
    assert point.value == 0


def test_one_in_the_queue_is_silent_since_its_message_came(recording: Recording) -> None:
    """Where the server's own notice came first."""
    exchange = opened(recording, queued=True)
    recording.clock.move(3)
    assert exchange.notice("total", 1, 1, recording.clock.time).since == exchange.received


@pytest.mark.parametrize("outcome", ["ok", "disconnected", "cancelled"])
def test_a_timeout_is_not_reported_where_the_answer_came_or_nobody_waits(recording: Recording, outcome: str) -> None:
    """The answer came late, or no frame says to the client how it ended."""
    exchange = begun(recording)
    exchange.record_timeout(exchange.notice("total", 1, recording.clock.time, recording.clock.time))
    if outcome == "ok":
        stream(recording, exchange, "a", "a")
        reply(recording, exchange, "a")
    elif outcome == "disconnected":
        exchange.left = recording.clock.time
    else:
        exchange.stopped = True
    assert exchange.end(recording.clock.time) == outcome
    assert recording.points(names.METRIC_REPORT_DELAY.name) == []
    assert (recording.span("sendUserMessage").attributes or {})[names.TIMEOUT_RECOVERED] is (outcome == "ok")


def test_the_second_timeout_is_reported_at_once_where_it_was_noticed_after_the_end(recording: Recording) -> None:
    """No delay is negative; both phases have their own."""
    exchange = begun(recording)
    end = recording.clock.time + SECOND
    exchange.notice("first_chunk", 1, end, end - SECOND // 4)
    exchange.notice("total", 1, end, end + SECOND)
    exchange.end(end)
    points = recording.points(names.METRIC_REPORT_DELAY.name)
    assert {point.labels[names.TIMEOUT_PHASE]: point.value for point in points} == {"first_chunk": 0.25, "total": 0}


# --- Children are in it ----------------------------------------------------------------------------------------
def test_it_ends_after_a_stream_without_length(recording: Recording) -> None:
    """Two chunks at one moment and the end with them: the stream is lengthened by a microsecond, and so is it."""
    exchange = begun(recording)
    recording.clock.move(1)
    for text in ("a", "ab"):
        exchange.take(recording.clock.time, update(text), UPDATE)
    exchange.end(recording.clock.time)
    assert duration(recording.span(names.SPAN_STREAM)) == 1e-6
    assert recording.span("sendUserMessage").end_time == EPOCH + recording.clock.time + 1000


def test_one_chunk_makes_no_stream_and_lengthens_nothing(recording: Recording) -> None:
    """It ends when it ends."""
    exchange = begun(recording)
    stream(recording, exchange, "a")
    exchange.end(recording.clock.time)
    assert recording.spans(names.SPAN_STREAM) == []
    assert recording.span("sendUserMessage").end_time == EPOCH + recording.clock.time


def test_one_that_is_forgotten_at_once_has_a_length(recording: Recording) -> None:
    """And is open no longer."""
    exchange = opened(recording)
    exchange.forget(recording.clock.time)
    assert duration(recording.span("sendUserMessage")) == 1e-6
    assert recording.telemetry.open_exchanges == 0
    assert exchange.tail is None


# --- Where its time went ---------------------------------------------------------------------------------------
def test_the_breakdown_adds_up_to_the_exchange() -> None:
    """Of ten seconds the model took five, tools two; the rest is the server's own."""
    breakdown = TimeBreakdown()
    breakdown.model_wait, breakdown.model_stream, breakdown.tools = 4 * SECOND, SECOND, 2 * SECOND
    breakdown.lag_before = 5 * SECOND
    expected = {
        names.TIME_MODEL_WAIT: 4.0,
        names.TIME_MODEL_STREAM: 1.0,
        names.TIME_TOOLS: 2.0,
        names.TIME_SERVER: 3.0,
        names.TIME_LOOP_LAG: 0.5,
    }
    assert breakdown.attributes(10 * SECOND, 5 * SECOND + SECOND // 2) == expected
    breakdown.blocked_by, breakdown.blocked = "read_file", SECOND // 4
    blocked = {names.BLOCKED_BY: "read_file", names.BLOCKED_TIME: 0.25}
    assert breakdown.attributes(10 * SECOND, 5 * SECOND + SECOND // 2) == expected | blocked


def test_no_part_of_the_breakdown_is_negative() -> None:
    """Calls side by side take more than the whole."""
    breakdown = TimeBreakdown()
    breakdown.tools = 3 * SECOND
    breakdown.lag_before = 2 * SECOND
    attributes = breakdown.attributes(SECOND, SECOND)
    assert (attributes[names.TIME_SERVER], attributes[names.TIME_LOOP_LAG]) == (0, 0)
    assert set(TimeBreakdown().attributes(SECOND, 0).values()) == {0, 1}


def test_the_breakdown_is_on_its_span(recording: Recording) -> None:
    """With the lag of the event loop when it ended, not when it was recorded."""
    exchange = begun(recording, breakdown=TimeBreakdown())
    recording.telemetry.lag = SECOND
    recording.clock.move(4)
    exchange.end(recording.clock.time)
    attributes = dict(recording.span("sendUserMessage").attributes or {})
    assert (attributes[names.TIME_SERVER], attributes[names.TIME_LOOP_LAG]) == (4.0, 1.0)
