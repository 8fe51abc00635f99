"""The heartbeat on the event loop, and how long garbage collections take."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextvars import Context, ContextVar

import pytest

from ailoop_otel.guard import Guard
from ailoop_otel.process.pauses import INTERVAL, CollectionPauses, LoopLag


class FakeLoop:
    """An event loop whose time is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, object, tuple[object, ...], Context]] = []

    def time(self) -> float:
        """Seconds since the test began."""
        return self.now

    def call_at(self, when: float, callback: object, *arguments: object, context: Context) -> None:
        """Remember a timer."""
        self.timers.append((when, callback, arguments, context))

    def advance(self, to: float) -> None:
        """Go to a time and fire what is due by then, late."""
        self.now = to
        due = [timer for timer in self.timers if timer[0] <= to]
        self.timers = [timer for timer in self.timers if timer[0] > to]
        for _, callback, arguments, context in due:
            context.run(callback, *arguments)  # type: ignore[arg-type]


@pytest.fixture
def loop() -> FakeLoop:
    """A loop at time zero."""
    return FakeLoop()


def test_a_beat_records_by_how_much_it_is_late(loop: FakeLoop) -> None:
    """On time is 0, a loop that was away for two seconds is late by them less the interval."""
    lags: list[float] = []
    beat = LoopLag(lags.append, Guard(strict=True))
    beat.start(loop)  # type: ignore[arg-type]
    loop.advance(INTERVAL)
    loop.advance(INTERVAL + 2.0)
    loop.advance(2 * INTERVAL + 2.0 - 1e-9)
    loop.advance(2 * INTERVAL + 2.0)
    assert lags == pytest.approx([0.0, 2.0 - INTERVAL, 0.0])


def test_after_stop_the_last_timer_fires_into_nothing(loop: FakeLoop) -> None:
    """A stopped heart records no more and arms no more timers."""
    lags: list[float] = []
    beat = LoopLag(lags.append, Guard(strict=True))
    beat.start(loop)  # type: ignore[arg-type]
    beat.stop()
    loop.advance(1.0)
    assert lags == []
    assert loop.timers == []


def test_starting_again_leaves_one_heartbeat(loop: FakeLoop) -> None:
    """A second start takes over; the first one's timer does not go on beside it."""
    lags: list[float] = []
    beat = LoopLag(lags.append, Guard(strict=True))
    beat.start(loop)  # type: ignore[arg-type]
    other = FakeLoop()
    beat.start(other)  # type: ignore[arg-type]
    loop.advance(1.0)
    other.advance(INTERVAL)
    assert len(lags) == 1
    assert (loop.timers, len(other.timers)) == ([], 1)


@pytest.mark.fault(
    "threads",
    ours="The event loop's heartbeat fails",
    promise="Counted; the next beat comes",
)
def test_it_survives_its_own_faults(loop: FakeLoop) -> None:
    """A record that raises is counted, and the next beat comes all the same."""
    calls: list[float] = []

    def record(lag: float) -> None:
        calls.append(lag)
        raise RuntimeError

    guard = Guard()
    beat = LoopLag(record, guard)
    beat.start(loop)  # type: ignore[arg-type]
    loop.advance(INTERVAL)
    loop.advance(2 * INTERVAL)
    assert (len(calls), guard.errors) == (2, 2)


def test_it_does_not_keep_the_starter_s_context(loop: FakeLoop) -> None:
    """A beat sees nothing of the request in whose course it was started."""
    current: ContextVar[str] = ContextVar("current", default="nothing")
    seen: list[str] = []
    beat = LoopLag(lambda _lag: seen.append(current.get()), Guard(strict=True))
    current.set("a request")
    beat.start(loop)  # type: ignore[arg-type]
    loop.advance(INTERVAL)
    assert seen == ["nothing"]


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_blocked_real_loop_is_seen(kind: str) -> None:
    """`time.sleep` on the loop is a lag, of no more than what the loop stood still; on both kinds of loop."""
    stood_still = 0.0
    lags: list[float] = []
    beat = LoopLag(lags.append, Guard(strict=True))

    async def serve() -> None:
        nonlocal stood_still
        beat.start(asyncio.get_running_loop())
        await asyncio.sleep(2.2 * INTERVAL)
        before, began = len(lags), time.perf_counter()
        time.sleep(INTERVAL + 0.3)
        while len(lags) == before:
            await asyncio.sleep(0)
        stood_still = time.perf_counter() - began
        beat.stop()

    loop = pytest.importorskip("uvloop").new_event_loop() if kind == "uvloop" else asyncio.new_event_loop()
    try:
        loop.run_until_complete(serve())
    finally:
        loop.close()
    assert 0.2 < lags[-1] < stood_still


@pytest.fixture
def pauses() -> Iterator[tuple[CollectionPauses, list[int]]]:
    """What observes, and what it has recorded."""
    recorded: list[int] = []
    observer = CollectionPauses(recorded.append)
    yield observer, recorded
    observer.stop()


@pytest.mark.parametrize(("generation", "count"), [(0, 0), (1, 1), (2, 1)])
def test_a_collection_is_timed_unless_of_the_youngest(
    pauses: tuple[CollectionPauses, list[int]], generation: int, count: int
) -> None:
    """The youngest generation is collected often and in no time."""
    observer, recorded = pauses
    observer.start()
    gc.collect(generation)
    observer.stop()
    assert len(recorded) == count
    assert all(nanoseconds > 0 for nanoseconds in recorded)


def test_what_is_stopped_leaves_nothing(pauses: tuple[CollectionPauses, list[int]]) -> None:
    """No callback stays, however often it is stopped."""
    observer, recorded = pauses
    before = list(gc.callbacks)
    observer.start()
    observer.stop()
    observer.stop()
    gc.collect()
    assert gc.callbacks == before
    assert recorded == []


def test_an_end_without_a_beginning_is_not_counted(pauses: tuple[CollectionPauses, list[int]]) -> None:
    """It began before it was observed."""
    observer, recorded = pauses
    observer._observe("stop", {"generation": 2})
    assert recorded == []
