"""Calls that are made beside the caller, who waits for a bounded time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ailoop_otel.guard import Guard
from ailoop_otel.recording.call_thread import CallThread
from tests.export.child import in_child


@pytest.fixture
def guard() -> Guard:
    """One that raises what it catches."""
    return Guard(strict=True)


def test_what_is_done_in_time_is_waited_for(guard: Guard) -> None:
    """The caller learns that it is done."""
    done: list[str] = []
    thread = CallThread("test", guard)
    thread.submit(lambda: done.append(threading.current_thread().name))
    assert thread.wait(60)
    assert done == ["test"]
    assert not thread.busy
    thread.stop()


@pytest.mark.fault(
    "threads",
    theirs="A flush hangs",
    promise="The caller goes on when its time is up",
)
def test_what_hangs_is_left(guard: Guard) -> None:
    """The caller goes on when its time is up, and what is sent later waits its turn."""
    release = threading.Event()
    thread = CallThread("test", guard)
    thread.submit(lambda: release.wait(60))
    assert not thread.wait(0.01)
    assert thread.busy
    thread.submit(lambda: None)
    assert not thread.wait(0.01)
    assert not thread.wait(-1.0)
    release.set()
    assert thread.wait(60)
    thread.stop()


@pytest.mark.fault(
    "threads",
    ours="A fault in the thread that flushes",
    promise="It is counted, nobody waits for ever, and the next flush is done",
)
@pytest.mark.parametrize("kind", [RuntimeError, asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_fault_does_not_end_the_thread(kind: type[BaseException]) -> None:
    """The barrier counts it, the caller is not kept waiting, and the next thing is done."""

    def fail() -> None:
        raise kind

    guard = Guard()
    thread = CallThread("test", guard)
    thread.submit(fail)
    assert thread.wait(60)
    thread.submit(lambda: None)
    assert thread.wait(60)
    assert guard.errors == 1
    thread.stop()


def test_the_thread_ends(guard: Guard) -> None:
    """After `stop` no thread of it is left."""
    flushing = CallThread("a name that no other has", guard)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "a name that no other has"]
    flushing.stop()
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_a_thread_of_its_own(guard: Guard) -> None:
    """Threads do not come along, so the child makes one, unless it had been stopped."""
    thread, ended = CallThread("test", guard), CallThread("ended", guard)
    ended.stop()

    def work() -> bool:
        thread.submit(lambda: None)
        names = {each.name for each in threading.enumerate()}
        return thread.wait(60) and "ended" not in names

    assert in_child(work) == 0
    thread.stop()
