"""What the watchdog holds, what it outlives, and whom it counts as silent."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.guard import Guard
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.settings import Settings
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.tracking.watchdog import Deadlines
from tests.exchanges import PIECE, opened
from tests.naps import phases, run, unstarted, watched
from tests.recorder import Recording
from tests.scripted import chunk


@pytest.fixture
def recording() -> Recording:
    """A first chunk may take ten seconds, the next four."""
    return Recording(first_chunk=10, stall=4, total=60)


def test_an_exchange_that_is_over_is_freed_at_once() -> None:
    """Its deadline is held, and a weak reference; not the exchange."""
    recording = Recording()
    watchdog = unstarted(recording)
    exchange = opened(recording)
    watchdog.watch(exchange)
    waiting = opened(recording)
    watchdog.check()
    watchdog.watch(waiting)
    held = weakref.ref(exchange), weakref.ref(waiting)
    gc.disable()
    try:
        del exchange, waiting
        assert [reference() for reference in held] == [None, None]
    finally:
        gc.enable()
    recording.clock.move(1000)
    watchdog.check()
    assert phases(recording) == []


def test_entries_of_what_has_ended_do_not_pile_up() -> None:
    """However far their deadlines are and however many come."""
    recording = Recording(first_chunk=names.DAY, stall=names.DAY, total=names.DAY)
    watchdog = unstarted(recording)
    kept = [opened(recording) for _ in range(10)]
    for exchange in kept:
        watchdog.watch(exchange)
    for _ in range(20_000):
        exchange = opened(recording)
        watchdog.watch(exchange)
        watchdog.check()
        exchange.end(recording.clock.time)
    assert len(watchdog._heap) <= 8192
    recording.clock.move(names.DAY)
    watchdog.check()
    assert len(phases(recording)) == 2 * len(kept)


def test_entries_of_what_has_ended_are_cleared_away_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than four here; from then on when there are twice as many as were kept, which stay in order."""
    monkeypatch.setattr("ailoop_otel.tracking.watchdog._TIDY", 4)
    recording = Recording(first_chunk=100, stall=0, total=0)
    watchdog = unstarted(recording)

    def watch(number: int) -> list[Exchange]:
        exchanges = [opened(recording) for _ in range(number)]
        for exchange in exchanges:
            watchdog.watch(exchange)
        recording.clock.move(1)
        watchdog.check()
        return exchanges

    ended = watch(4)
    ended[0].end(recording.clock.time)
    assert len(watchdog._heap) == 4
    kept = watch(5)
    # One has ended: the other eight stay, and up to sixteen are kept from now on.
    assert len(watchdog._heap) == 8
    for exchange in (*ended, *kept[1:]):
        exchange.end(recording.clock.time)
    late = watch(8)
    assert len(watchdog._heap) == 16
    late += watch(1)
    assert len(watchdog._heap) == 10
    # An entry that was replaced by a nearer one does not count either.
    watchdog._heap.append((0, -5, weakref.ref(kept[0])))
    watchdog._tidy()
    assert len(watchdog._heap) == 10
    recording.clock.move(100)
    watchdog.check()
    assert [bool(exchange.timeouts) for exchange in (kept[0], *late)] == [True] * 10


def test_what_is_not_sorted_yet_rings_when_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two may wait here; else nobody is woken for a deadline that is far away."""
    monkeypatch.setattr("ailoop_otel.tracking.watchdog._INBOX", 2)
    recording = Recording()
    watchdog = unstarted(recording)
    rung = []
    kept = [opened(recording) for _ in range(3)]
    for exchange in kept:
        watchdog.watch(exchange)
        rung.append(watchdog._bell.is_set())
    assert rung == [False, False, True]


def test_a_deadline_rings_only_where_it_comes_before_the_next_look(recording: Recording) -> None:
    """At the same moment it is looked at anyway."""
    watchdog = unstarted(recording)
    exchanges = [opened(recording) for _ in range(2)]
    watchdog._wakes_at = recording.clock.time + 10 * SECOND
    watchdog.watch(exchanges[0])
    assert not watchdog._bell.is_set()
    recording.clock.move(-0.001)
    nearer = opened(recording)
    watchdog.watch(nearer)
    assert watchdog._bell.is_set()


def test_what_hangs_beyond_a_deadline_is_counted_until_it_ends(recording: Recording) -> None:
    """Each exchange once, however many of its deadlines have passed."""
    watchdog = unstarted(recording)
    slow, quick = opened(recording), opened(recording)
    watchdog.watch(slow)
    watchdog.watch(quick)
    quick.end(recording.clock.time)
    assert watchdog.hanging() == 0
    recording.clock.move(1000)
    watchdog.check()
    assert len(slow.timeouts) == 2
    assert watchdog.hanging() == 1
    slow.end(recording.clock.time)
    assert watchdog.hanging() == 0


def test_all_that_are_silent_are_counted_by_what_they_wait_for(recording: Recording) -> None:
    """For a first chunk or the next; not those whose frames cannot be read, nor those that wait in the queue."""
    watchdog = unstarted(recording)
    waiting, streaming, unread = (opened(recording) for _ in range(3))
    unread.unreadable()
    for exchange in (waiting, streaming, unread):
        watchdog.watch(exchange)
    watchdog.check()
    new = opened(recording)
    watchdog.watch(new)
    recording.clock.move(4)
    streaming.take(recording.clock.time, chunk("w"), PIECE)
    recording.clock.move(1)
    assert watchdog.silent() == 0  # exactly half of ten seconds
    recording.clock.move(0.1)
    assert watchdog.silent() == 2  # waiting and new
    recording.clock.move(1)
    assert watchdog.silent() == 3  # more than two of four seconds since the chunk
    watchdog.deadlines = replace(watchdog.deadlines, first_chunk=0)
    assert watchdog.silent() == 1


def test_the_deadlines_are_the_settings_in_nanoseconds() -> None:
    """Each its own; 0 is for ever."""
    assert Deadlines.of(Settings(first_chunk=1.5, stall=2, total=0)) == Deadlines(1_500_000_000, 2_000_000_000, 0)


@pytest.mark.fault(
    "threads",
    ours="A fault while a timeout is told",
    promise="The others are told",
)
def test_an_exchange_that_raises_does_not_keep_the_others_from_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is when it is noticed or when it is told."""
    recording = Recording(Guard(), first_chunk=1)
    watchdog = unstarted(recording)
    exchanges = [opened(recording) for _ in range(4)]
    for exchange in exchanges:
        watchdog.watch(exchange)
    watchdog.check()
    due, record_timeout = Exchange.due, Exchange.record_timeout

    def failing_due(exchange: Exchange, deadlines: Any) -> Any:
        return due(exchange, deadlines) if exchange is not exchanges[1] else 1 / 0

    def failing_record(exchange: Exchange, timeout: Any) -> Any:
        return record_timeout(exchange, timeout) if exchange is not exchanges[2] else 1 / 0

    monkeypatch.setattr(Exchange, "due", failing_due)
    monkeypatch.setattr(Exchange, "record_timeout", failing_record)
    recording.clock.move(1)
    watchdog.check()
    assert len(phases(recording)) == 2
    assert recording.guard.errors == 2


def test_a_clock_that_fails_is_asked_again_a_second_later() -> None:
    """The thread goes on, and does not spin."""
    recording = Recording(Guard(), first_chunk=10)
    now = recording.clock.now
    answers: list[Callable[[], int]] = [now] * 3

    def failing() -> int:
        raise OSError("no clock")

    watchdog, naps = watched(recording, most=2)
    exchange = opened(recording)
    watchdog.watch(exchange)
    answers = [failing, now, now]
    recording.clock.now = lambda: answers.pop(0)() if answers else now()  # type: ignore[method-assign]
    run(watchdog)
    assert naps.seconds[:2] == [1.0, 9.0]
    assert phases(recording) == ["first_chunk"]


@pytest.mark.parametrize(("move", "silent"), [(4.9, 0), (5.1, 1), (10.0, 1), (70.0, 1), (1000.0, 1)])
def test_the_silent_are_counted_for_as_long_as_they_are_silent(move: float, silent: int) -> None:
    """From half of what is allowed on, also when all of it has been told."""
    recording = Recording(first_chunk=10, total=60)
    watchdog = unstarted(recording)
    exchange = opened(recording)
    watchdog.watch(exchange)
    assert watchdog.silent() == 0
    watchdog.check()
    recording.clock.move(move)
    watchdog.check()
    assert watchdog.silent() == silent
    exchange.end(recording.clock.time)
    assert watchdog.silent() == 0


def test_one_that_never_started_stops(recording: Recording) -> None:
    """And holds nothing then."""
    watchdog = unstarted(recording)
    exchange = opened(recording)
    watchdog.watch(exchange)
    watchdog.stop()
    assert (len(watchdog._inbox), len(watchdog._heap), watchdog.silent()) == (0, 0, 0)
