"""Deadlines, with a clock and a wait that the test holds in its hands."""

from __future__ import annotations

import gc
import math
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.exchange import Exchange
from ailoop_otel.guard import Guard
from ailoop_otel.telemetry import SECOND
from ailoop_otel.watchdog import Watchdog
from tests.exchanges import STATELESS, opened
from tests.recording import Recording
from tests.scripted import update


class Naps:
    """Stands in for waiting: notes for how long, lets that time pass, and after `most` of them ends the thread."""

    def __init__(self, recording: Recording, most: int, meanwhile: Callable[[float], None] | None = None) -> None:
        self.seconds: list[float | None] = []
        self._recording, self._most, self._meanwhile = recording, most, meanwhile
        self.watchdog: Any = None

    def __call__(self, bell: threading.Event, seconds: float | None) -> None:
        """One nap."""
        self.seconds.append(seconds)
        if len(self.seconds) > self._most or seconds is None:
            self.watchdog._stopped = True
            return
        end = self._recording.clock.time + seconds * SECOND
        if self._meanwhile is not None:
            self._meanwhile(seconds)
        self._recording.clock.time = round(max(end, self._recording.clock.time))


def watched(recording: Recording, most: int = 0, meanwhile: Callable[[float], None] | None = None) -> tuple[Any, Naps]:
    """A watchdog whose thread runs until it has napped `most` times, and its naps."""
    naps = Naps(recording, most, meanwhile)
    naps.watchdog = unstarted(recording, naps)
    return naps.watchdog, naps


def run(watchdog: Watchdog) -> None:
    """Run its thread to the end."""
    watchdog.start()
    assert watchdog._thread is not None
    watchdog._thread.join(5)
    assert not watchdog._thread.is_alive()


def unstarted(recording: Recording, wait: Any = None) -> Watchdog:
    """A watchdog whose thread is not started by the first exchange: `check` is called by the test."""
    watchdog = Watchdog(recording.telemetry, wait)
    watchdog._pid = os.getpid()
    return watchdog


def phases(recording: Recording) -> list[Any]:
    """The phases of the timeouts that were told, in order."""
    spans = recording.spans(names.SPAN_AI_TIMEOUT)
    return [span.attributes[names.TIMEOUT_PHASE] for span in spans if span.attributes is not None]


def test_it_sleeps_until_the_deadline_and_tells_it_then() -> None:
    """No sooner, no later, and then until the next one."""
    recording = Recording(first_chunk=10, stall=0, total=60)
    watchdog, naps = watched(recording, most=2)
    exchange = opened(recording)
    watchdog.watch(exchange)
    run(watchdog)
    assert naps.seconds == [10.0, 50.0, None]
    assert phases(recording) == ["first_chunk", "total"]
    assert [timeout.noticed - timeout.due for timeout in exchange.timeouts] == [0, 0]


def test_with_nothing_to_watch_it_sleeps_for_ever() -> None:
    """It does not look round now and then."""
    recording = Recording()
    watchdog, naps = watched(recording)
    run(watchdog)
    assert naps.seconds == [None]


def test_a_stream_costs_one_look_per_deadline() -> None:
    """Chunks every 100 ms for ten minutes: the thread wakes once per 30 s of them, and tells nothing."""
    recording = Recording(first_chunk=30, stall=30, total=0)
    exchange = opened(recording)
    exchange.speaks(STATELESS)
    frames = iter(range(1, 100_000))

    def stream(seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            recording.clock.move(0.1)
            exchange.update(recording.clock.time, update("w" * next(frames)))

    watchdog, naps = watched(recording, most=20, meanwhile=stream)
    watchdog.watch(exchange)
    run(watchdog)
    assert all(seconds is not None and seconds >= 29.8 for seconds in naps.seconds)
    assert phases(recording) == []


def test_a_new_exchange_with_a_later_deadline_does_not_wake_it() -> None:
    """One with a nearer one does."""
    recording = Recording(first_chunk=10)
    rings: list[bool] = []

    def arrive(_: float) -> None:
        late = opened(recording)
        watchdog.watch(late)
        rings.append(watchdog._bell.is_set())
        watchdog.deadlines = replace(watchdog.deadlines, first_chunk=SECOND)
        early = opened(recording)
        watchdog.watch(early)
        rings.append(watchdog._bell.is_set())

    watchdog, _ = watched(recording, most=1, meanwhile=arrive)
    first = opened(recording)
    watchdog.watch(first)
    run(watchdog)
    assert rings == [False, True]


def test_what_comes_in_during_a_look_is_looked_at_before_it_sleeps() -> None:
    """It rings no bell, since the thread is awake."""
    recording = Recording(first_chunk=10)
    watchdog, naps = watched(recording)
    late: list[Exchange] = []
    look = watchdog.check

    def check() -> int:
        upcoming = look()
        if not late:
            late.append(opened(recording))
            watchdog.watch(late[0])
        return upcoming

    watchdog.check = check
    run(watchdog)
    assert naps.seconds == [10.0]


def test_ten_thousand_due_at_once_are_all_noticed_before_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Telling takes longer, so it would delay those behind."""
    recording = Recording(first_chunk=1, total=0)
    watchdog = unstarted(recording)
    exchanges = [opened(recording) for _ in range(10_000)]
    for exchange in exchanges:
        watchdog.watch(exchange)
    told: list[Exchange] = []

    def tell(exchange: Exchange, timeout: object) -> None:
        told.append(exchange)
        recording.clock.move(0.001)

    monkeypatch.setattr(Exchange, "tell", tell)
    recording.clock.move(1)
    now = recording.clock.time
    watchdog.check()
    assert len(told) == 10_000
    assert {timeout.noticed for exchange in exchanges for timeout in exchange.timeouts} == {now}
    assert told == exchanges


class Counted(int):
    """A number that counts how often it is compared."""

    compared = 0

    def __radd__(self, other: int) -> Counted:
        return Counted(int(self) + other)

    def __lt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) < other

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return int(self) == other

    __hash__ = int.__hash__


@pytest.mark.parametrize("number", [256, 8192])
def test_an_exchange_costs_the_logarithm_of_how_many_there_are(number: int) -> None:
    """Counted in comparisons of deadlines, from the first look until all are told."""
    recording = Recording(first_chunk=1, stall=0, total=0)
    watchdog = unstarted(recording)
    watchdog.deadlines = replace(watchdog.deadlines, first_chunk=Counted(SECOND))
    exchanges = []
    for place in range(number):
        recording.clock.time += (place * 7919) % 1000  # out of order would be slowest
        exchanges.append(opened(recording))
        watchdog.watch(exchanges[-1])
    Counted.compared = 0
    watchdog.check()
    recording.clock.move(2)
    watchdog.check()
    assert all(exchange.timeouts for exchange in exchanges)
    assert Counted.compared / number < 8 * math.log2(number)


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
    due, tell = Exchange.due, Exchange.tell

    def failing_due(exchange: Exchange, deadlines: Any) -> Any:
        return due(exchange, deadlines) if exchange is not exchanges[1] else 1 / 0

    def failing_tell(exchange: Exchange, timeout: Any) -> Any:
        return tell(exchange, timeout) if exchange is not exchanges[2] else 1 / 0

    monkeypatch.setattr(Exchange, "due", failing_due)
    monkeypatch.setattr(Exchange, "tell", failing_tell)
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
