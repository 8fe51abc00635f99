"""The watchdog's thread, with real time: small deadlines, and no sleeping but where that is what is tested."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from ailoop_otel import names
from ailoop_otel.recording.telemetry import Clock
from ailoop_otel.tracking.watchdog import Watchdog
from tests.exchanges import opened
from tests.recorder import Recording

ROOT = Path(__file__).parents[2]
NAME = "ailoop-otel-watchdog"


def real(**settings: Any) -> Recording:
    """A recording with the machine's own clock."""
    recording = Recording(**settings)
    recording.telemetry.clock = Clock()
    return recording


@pytest.fixture
def recording() -> Recording:
    """With a first-chunk deadline of 50 ms and no other."""
    return real(first_chunk=0.05, stall=0, total=0)


@pytest.fixture
def watchdog(recording: Recording) -> Iterator[Watchdog]:
    """With its thread; ended after the test."""
    watchdog = Watchdog(recording.telemetry)
    watchdog.start()
    yield watchdog
    watchdog.stop()


def threads() -> list[threading.Thread]:
    """Those of ours."""
    return [thread for thread in threading.enumerate() if thread.name == NAME]


async def test_a_timeout_is_noticed_while_the_event_loop_is_blocked(recording: Recording, watchdog: Watchdog) -> None:
    """By a `time.sleep` in the server's own code."""
    exchange = opened(recording)
    watchdog.watch(exchange)
    deadline = time.monotonic() + 60
    while not recording.spans(names.SPAN_AI_TIMEOUT) and time.monotonic() < deadline:
        time.sleep(0.05)
    (timeout,) = exchange.timeouts
    assert timeout.due <= timeout.noticed < time.perf_counter_ns()
    span = recording.span(names.SPAN_AI_TIMEOUT)
    assert not exchange.ended
    assert span.end_time == timeout.noticed + exchange.offset


class Hanging(SpanProcessor):
    """Somebody's exporter whose collector does not answer."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def on_end(self, span: ReadableSpan) -> None:
        """Hang."""
        self.go.wait(120)


@pytest.mark.fault(
    "threads",
    theirs="A processor of somebody else's hangs while a timeout is told",
    promise="The other timeouts are noticed",
)
def test_timeouts_are_noticed_while_telling_one_hangs(recording: Recording, watchdog: Watchdog) -> None:
    """A processor of somebody else may take its time: it takes it from a thread that does nothing else."""
    hanging = Hanging()
    recording.tracers.add_span_processor(hanging)
    exchanges = [opened(recording) for _ in range(3)]
    for exchange in exchanges:
        watchdog.watch(exchange)
    deadline = time.monotonic() + 60
    while not all(exchange.timeouts for exchange in exchanges) and time.monotonic() < deadline:
        time.sleep(0.01)
    hanging.go.set()
    assert all(exchange.timeouts for exchange in exchanges)


@pytest.mark.fault(
    "threads",
    theirs="The machine has no thread to spare",
    promise="Tried again with the next message",
)
def test_where_no_thread_can_be_started_it_is_tried_again(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the next exchange: the machine may have threads again by then."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    watchdog = Watchdog(recording.telemetry)
    first, second = opened(recording), opened(recording)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            watchdog.start()
    watchdog.watch(first)
    watchdog.watch(second)
    deadline = time.monotonic() + 60
    while not (first.timeouts and second.timeouts) and time.monotonic() < deadline:
        time.sleep(0.01)
    watchdog.stop()
    assert [len(first.timeouts), len(second.timeouts)] == [1, 1]


def test_it_stops_at_once_however_long_it_meant_to_sleep(watchdog: Watchdog) -> None:
    """And takes its thread with it."""
    assert len(threads()) == 1
    before = time.perf_counter()
    watchdog.stop()
    assert time.perf_counter() - before < 30
    assert threads() == []


def test_a_stop_between_waking_and_looking_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bell that it rings is cleared by the thread, which must see the word all the same."""

    class Bell(threading.Event):
        def clear(self) -> None:
            stopping._stopped = True
            self.set()
            super().clear()

    monkeypatch.setattr("ailoop_otel.tracking.watchdog.threading.Event", Bell)
    stopping = Watchdog(real().telemetry)
    stopping.start()
    assert stopping._thread is not None
    stopping._thread.join(60)
    assert not stopping._thread.is_alive()


def test_starting_twice_makes_one_thread(watchdog: Watchdog) -> None:
    """However often a host starts."""
    watchdog.start()
    assert len(threads()) == 1


def test_it_starts_again_after_a_stop(recording: Recording, watchdog: Watchdog) -> None:
    """As a host does that is switched off and on."""
    watchdog.stop()
    watchdog.start()
    exchange = opened(recording)
    watchdog.watch(exchange)
    deadline = time.monotonic() + 60
    while not recording.spans(names.SPAN_AI_TIMEOUT) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(exchange.timeouts) == 1


def test_the_process_does_not_wait_for_it_at_its_end(watchdog: Watchdog) -> None:
    """It is a daemon."""
    assert all(thread.daemon for thread in threads())


FORK = """
import os, sys, time
from ailoop_otel import names
from ailoop_otel.tracking.watchdog import Watchdog
from tests.exchanges import opened
from tests.tracking.test_watchdog_thread import real, threads

def told(recording, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not recording.spans(names.SPAN_AI_TIMEOUT):
        time.sleep(0.005)
    return [span.parent.span_id for span in recording.spans(names.SPAN_AI_TIMEOUT)]

recording = real(first_chunk=1.0, stall=0, total=0)
watchdog = Watchdog(recording.telemetry)
watchdog.start()
parents = opened(recording)
watchdog.watch(parents)
time.sleep(0.05)
child = os.fork()
if child == 0:
    childs = opened(recording)
    watchdog.watch(childs)
    assert told(recording, 60) == [childs.span.get_span_context().span_id], "told in the child"
    assert not parents.timeouts, "the parent's was told in the child"
    watchdog.stop()
    assert threads() == []
    os._exit(7)
assert told(recording, 60) == [parents.span.get_span_context().span_id], "told in the parent"
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7, "the child"
watchdog.stop()
print("both")
"""


def test_it_survives_a_fork() -> None:
    """A child's exchanges are told in the child, the parent's in the parent, each once."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        cwd=ROOT, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert (run.stdout, run.stderr) == ("both\n", "")
