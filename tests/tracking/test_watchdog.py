"""Deadlines, with a clock and a wait that the test holds in its hands."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.tracking.exchange import Exchange
from tests.exchanges import PIECE, STATELESS, UPDATE, opened
from tests.naps import phases, run, unstarted, watched
from tests.recorder import Recording
from tests.scripted import chunk, update


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
    exchange.traits = STATELESS
    frames = iter(range(1, 100_000))

    def stream(seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            recording.clock.move(0.1)
            exchange.take(recording.clock.time, update("w" * next(frames)), UPDATE)

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
        upcoming: int = look()
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

    monkeypatch.setattr(Exchange, "record_timeout", tell)
    recording.clock.move(1)
    now = recording.clock.time
    watchdog.check()
    assert len(told) == 10_000
    assert {timeout.noticed for exchange in exchanges for timeout in exchange.timeouts} == {now}
    assert told == exchanges


def test_what_becomes_due_while_others_are_told_is_noticed_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits behind a hundred that have to be told first."""
    recording = Recording(first_chunk=1, total=0)
    watchdog = unstarted(recording)
    exchanges = [opened(recording) for _ in range(100)]
    late = opened(recording, queued=True)
    late.take_turn(recording.clock.time + SECOND // 100)
    for exchange in (*exchanges, late):
        watchdog.watch(exchange)
    told: list[Exchange] = []

    def tell(exchange: Exchange, timeout: object) -> None:
        told.append(exchange)
        recording.clock.move(0.004)

    monkeypatch.setattr(Exchange, "record_timeout", tell)
    recording.clock.move(1)
    watchdog.check()
    assert told == [*exchanges, late]
    (timeout,) = late.timeouts
    assert timeout.noticed - timeout.due <= SECOND // 250


def test_a_deadline_behind_the_one_that_is_watched_already_is_no_second_entry() -> None:
    """The first chunk of an answer costs the watchdog nothing where a stall is allowed as long as the wait for it."""
    recording = Recording(first_chunk=10, stall=10, total=0)
    watchdog = unstarted(recording)
    exchange = opened(recording)
    watchdog.watch(exchange)
    recording.clock.move(9)
    exchange.take(recording.clock.time, chunk("w"), PIECE)
    watchdog.watch(exchange)
    recording.clock.move(1)
    assert watchdog.check() == exchange.last + 10 * SECOND
    assert len(watchdog._heap) == 1
    recording.clock.move(9)
    watchdog.check()
    assert phases(recording) == ["stall"]


def test_a_nearer_deadline_than_the_one_that_is_watched_counts() -> None:
    """Also when the watched one has come up and was put off in between."""
    recording = Recording(first_chunk=10, stall=2, total=60)
    watchdog = unstarted(recording)
    exchange = opened(recording)
    watchdog.watch(exchange)
    recording.clock.move(10)
    watchdog.check()
    exchange.take(recording.clock.time, chunk("w"), PIECE)
    watchdog.watch(exchange)
    recording.clock.move(2)
    watchdog.check()
    assert phases(recording) == ["first_chunk", "stall"]


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
