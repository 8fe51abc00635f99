"""What the watchdog holds, what it outlives, and whom it counts as silent."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.guard import Guard
from ailoop_otel.tracking.exchange import Exchange
from tests.exchanges import opened
from tests.naps import phases, run, unstarted, watched
from tests.recorder import Recording


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
