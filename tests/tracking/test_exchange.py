"""The life of an exchange, without a wire."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from ailoop_otel import names
from ailoop_otel.protocol.dialect import Meaning, Notice, Reply, ReplyKind
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.settings import Settings
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.tracking.watchdog import Deadlines
from tests.exchanges import DELEGATES, PIECE, STATELESS, UPDATE, opened
from tests.recorder import Recording, duration
from tests.scripted import SESSION, chunk, update

NOW = 5 * SECOND


@pytest.fixture
def recording() -> Recording:
    """A new one for each test."""
    return Recording()


def ended(recording: Recording, exchange: Exchange) -> dict[str, Any]:
    """End it; the attributes of its span."""
    exchange.end(recording.clock.time)
    return dict(recording.span("sendUserMessage").attributes or {})


# --- Its end ---------------------------------------------------------------------------------------------------
def test_it_ends_once(recording: Recording) -> None:
    """Whatever comes later is not recorded again."""
    exchange = opened(recording)
    recording.clock.move(1)
    assert exchange.end(recording.clock.time) == "no_answer"
    recording.clock.move(1)
    exchange.failed = True
    assert exchange.end(recording.clock.time) is None
    exchange.forget(recording.clock.time)
    assert duration(recording.span("sendUserMessage")) == 1
    assert recording.total("ailoop.exchange.active") == 0
    assert recording.total("ailoop.exchange.duration") == 1


def test_one_that_is_forgotten_has_no_outcome(recording: Recording) -> None:
    """And is neither counted nor ended again."""
    exchange = opened(recording)
    exchange.forget(recording.clock.time)
    assert exchange.end(recording.clock.time) is None
    assert names.OUTCOME not in (recording.span("sendUserMessage").attributes or {})
    assert recording.total("ailoop.exchange.active") == 0
    assert recording.points("ailoop.exchange.duration") == []


def test_after_its_end_no_frame_is_its_own(recording: Recording) -> None:
    """Whatever ends like a further update, or like nothing at all."""
    exchange = opened(recording)
    exchange.take(recording.clock.time, update("a"), UPDATE)
    assert update("ab")[exchange.tail_at] == exchange.tail
    exchange.end(recording.clock.time)
    assert not any(frame[exchange.tail_at] == exchange.tail for frame in (update("ab"), "", "\0", "{"))


def test_no_span_is_without_length(recording: Recording) -> None:
    """Jaeger warns of it for ever, and a child that outlasts its parent is moved."""
    exchange = opened(recording)
    exchange.traits = STATELESS
    recording.clock.move(1)
    for text in ("a", "ab", "abc"):
        if exchange.take(recording.clock.time, update(text), UPDATE):
            exchange.record_first_chunk()
    exchange.record_timeout(exchange.notice("total", SECOND, recording.clock.time, recording.clock.time))
    exchange.end(recording.clock.time)
    (root,) = recording.spans("sendUserMessage")
    assert len(recording.spans()) == 4
    for span in recording.spans():
        assert (span.end_time or 0) // 1000 > (span.start_time or 0) // 1000
        assert (root.start_time or 0) <= (span.start_time or 0)
        assert (span.end_time or 0) <= (root.end_time or 0)


@pytest.mark.parametrize("failing", ["set_attributes", "set_status", "end", "add"])
def test_a_fault_at_its_end_leaves_it_ended(failing: str, monkeypatch: Any) -> None:
    """And counted as no longer active, if the instrument can; with spans of somebody else's."""
    recording = Recording(light=False)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    exchange = opened(recording)
    target = recording.telemetry.errors if failing == "add" else exchange.span
    monkeypatch.setattr(target, failing, fail)
    with pytest.raises(RuntimeError):
        exchange.end(recording.clock.time)
    assert exchange.ended
    assert exchange.end(recording.clock.time) is None
    assert recording.total("ailoop.exchange.active") == 0


# --- Chunks ----------------------------------------------------------------------------------------------------
def stream(recording: Recording, *frames: str | float) -> Exchange:
    """An exchange of the current generation with these updates, and seconds between them."""
    exchange = opened(recording)
    exchange.traits = STATELESS
    for frame in frames:
        if isinstance(frame, float):
            recording.clock.move(frame)
        else:
            exchange.take(recording.clock.time, frame, UPDATE)
    return exchange


def test_updates_are_counted_by_what_is_new_in_them(recording: Recording) -> None:
    """Not the empty one, not the repeat."""
    exchange = stream(recording, update(""), 1.0, update("a"), 2.0, update("ab"), 1.0, update("ab"))
    assert exchange.chunks == 2
    assert (exchange.first - exchange.received, exchange.last - exchange.received) == (SECOND, 3 * SECOND)
    assert exchange.max_gap == 2 * SECOND
    assert exchange.repeated
    assert exchange.stream_size == sum(len(update(text)) for text in ("", "a", "ab", "ab"))


def test_a_second_model_call_begins_anew(recording: Recording) -> None:
    """Its first update is shorter than the last of the first."""
    exchange = stream(recording, update("abc"), update("abc"), update("x"), update("xy"), update("xy"))
    assert exchange.chunks == 3
    assert exchange.repeated


def answer(text: str, *, shows_end: bool = True) -> Reply:
    """A reply of the current generation."""
    return Reply(ReplyKind.ANSWER, text, shows_end=shows_end)


@pytest.mark.parametrize(
    ("frames", "reply", "cut"),
    [
        ([update("a"), update("a")], answer("a"), False),
        ([update("a"), update("ab")], answer("ab"), True),
        ([update("a")], answer("a"), True),
        ([update("a"), update("ab")], answer("ab", shows_end=False), False),
        ([update("a", structured=True)], answer("a"), False),
        ([], answer(""), False),
    ],
)
def test_a_plain_stream_that_is_not_repeated_was_cut(
    recording: Recording, frames: list[str], reply: Reply, cut: bool
) -> None:
    """The server passes it off as whole."""
    exchange = stream(recording, *frames)
    exchange.reply(recording.clock.time, reply, 100)
    assert exchange.cut is cut


def test_pieces_are_counted_as_they_are(recording: Recording) -> None:
    """The earlier generation sends deltas."""
    exchange = opened(recording)
    exchange.traits = DELEGATES
    for seconds in (1.0, 0.5, 2.5):
        recording.clock.move(seconds)
        exchange.take(recording.clock.time, chunk("w"), PIECE)
    attributes = ended(recording, exchange)
    stream_span = recording.span(names.SPAN_STREAM)
    assert attributes[names.STREAM_CHUNKS] == 3
    assert attributes[names.STREAM_SIZE] == 3 * len(chunk("w"))
    assert attributes[names.TIME_TO_FIRST_CHUNK] == 1.0
    assert (stream_span.attributes or {})[names.STREAM_MAX_GAP] == 2.5
    assert duration(stream_span) == 3.0


def test_a_text_in_one_piece_is_the_first_chunk_only_where_none_came_before(recording: Recording) -> None:
    """And makes no stream."""
    exchange = opened(recording)
    recording.clock.move(1)
    exchange.read(recording.clock.time, Notice(Meaning.TEXT, SESSION, "w"), 50)
    recording.clock.move(1)
    exchange.read(recording.clock.time, Notice(Meaning.TEXT, SESSION, "w"), 50)
    attributes = ended(recording, exchange)
    assert (attributes[names.STREAM_CHUNKS], attributes[names.STREAM_SIZE]) == (1, 50)
    assert attributes[names.TIME_TO_FIRST_CHUNK] == 1
    assert recording.spans(names.SPAN_STREAM) == []


def test_the_watchdog_sees_no_chunk_before_its_time(recording: Recording) -> None:
    """It looks from another thread, and may do so between any two steps of `take`."""
    exchange = opened(recording)
    exchange.traits = STATELESS
    deadlines = Deadlines(first_chunk=100 * SECOND, stall=SECOND, total=0)
    recording.clock.move(50)
    seen: list[Any] = []

    class Watched(Exchange):
        __slots__ = ()

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            seen.append(exchange.due(deadlines))

    exchange.__class__ = Watched
    exchange.take(recording.clock.time, update("a"), UPDATE)
    assert seen
    assert all(due[0] > recording.clock.time for due in seen)


# --- Silence ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "fields", [{"ended": True}, {"command": True}, {"left": 1}, {"turn": 0}], ids=["ended", "command", "left", "queued"]
)
def test_nothing_is_due_where_nobody_waits_for_the_ai(recording: Recording, fields: dict[str, Any]) -> None:
    """Whatever the deadlines."""
    exchange = opened(recording)
    for field, value in fields.items():
        setattr(exchange, field, value)
    assert exchange.due(Deadlines(1, 1, 1)) is None


def test_the_nearest_deadline_is_due(recording: Recording) -> None:
    """Of those that have not been told."""
    exchange = opened(recording)
    deadlines = Deadlines.of(Settings(first_chunk=5, stall=3, total=6))
    start = exchange.received
    assert exchange.due(deadlines) == (start + 5 * SECOND, "first_chunk")
    exchange.notice("first_chunk", 1, 1, 1)
    assert exchange.due(deadlines) == (start + 6 * SECOND, "total")
    exchange.take(start + SECOND, chunk("w"), PIECE)
    assert exchange.due(deadlines) == (start + 4 * SECOND, "stall")
    exchange.take(start + 5 * SECOND, chunk("w"), PIECE)
    assert exchange.due(deadlines) == (start + 6 * SECOND, "total")
    exchange.notice("total", 1, 1, 1)
    exchange.notice("stall", 1, 1, 1)
    assert exchange.due(deadlines) is None


def test_only_the_first_timeout_of_an_exchange_counts_as_an_error(recording: Recording) -> None:
    """It is one exchange that fails; each phase has its span, event and delay."""
    exchange = opened(recording, session=SESSION)
    for phase in ("first_chunk", "total"):
        recording.clock.move(1)
        exchange.record_timeout(exchange.notice(phase, SECOND, recording.clock.time, recording.clock.time))
    exchange.end(recording.clock.time)
    assert recording.total("ailoop.errors") == 1
    assert len(recording.events(names.EVENT_AI_TIMEOUT)) == len(recording.spans(names.SPAN_AI_TIMEOUT)) == 2
    assert all((span.attributes or {})[names.SESSION_ID] == SESSION for span in recording.spans(names.SPAN_AI_TIMEOUT))
    assert recording.span("sendUserMessage").status.status_code is StatusCode.ERROR
