"""Work that can wait is done before long, once, in its order, and by nobody who serves."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from ailoop_otel.guard import Guard
from ailoop_otel.recording.deferred import DeferredWork


@pytest.fixture
def idle() -> Iterator[DeferredWork]:
    """A queue whose thread takes its time."""
    made = DeferredWork(Guard(strict=True), pause=60.0)
    yield made
    made.close()


def test_it_is_done_by_another_thread_before_long() -> None:
    """Without anybody asking for it, again and again."""
    made = DeferredWork(Guard(), pause=0.0)
    for _ in range(3):
        done = threading.Event()
        threads: list[threading.Thread] = []
        made.defer(lambda threads=threads: threads.append(threading.current_thread()))
        made.defer(done.set)
        assert done.wait(60)
        assert threads[0] is not threading.current_thread()
    made.close()


def test_all_is_done_in_order_when_it_settles(idle: DeferredWork) -> None:
    """Also what is enqueued meanwhile."""
    calls: list[int] = []
    for number in range(5):
        idle.defer(calls.append, number)
    idle.defer(idle.defer, calls.append, 5)
    assert calls == []
    idle.settle()
    assert calls == [0, 1, 2, 3, 4, 5]
    assert len(idle) == 0


def test_a_caller_who_settles_waits_for_what_another_thread_is_doing(idle: DeferredWork) -> None:
    """So that a flush leaves nothing behind."""
    begun, go, calls = threading.Event(), threading.Event(), list[str]()

    def slow() -> None:
        begun.set()
        go.wait(60)
        calls.append("slow")

    idle.defer(slow)
    other = threading.Thread(target=idle.settle)
    other.start()
    assert begun.wait(60)
    threading.Timer(0.05, go.set).start()
    idle.settle()
    assert calls == ["slow"]
    other.join()


def test_a_caller_who_settles_does_not_wait_for_ever(idle: DeferredWork) -> None:
    """The other thread may be waiting for something that the caller holds."""
    begun, go = threading.Event(), threading.Event()
    idle.defer(lambda: begun.set() and None or go.wait(60))
    other = threading.Thread(target=idle.settle)
    other.start()
    assert begun.wait(60)
    assert idle.settle(0.01) is False
    go.set()
    other.join()
    assert idle.settle() is True


def test_settling_ends_while_others_put_more_down(idle: DeferredWork) -> None:
    """What comes of it without end is left to the next time."""

    left = iter(range(100))

    def again() -> None:
        if next(left, None) is not None:
            idle.defer(again)

    idle.defer(again)
    idle.settle()
    assert len(idle) == 1


def test_where_no_thread_can_be_started_it_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And by a thread as soon as there is one."""
    made = DeferredWork(Guard(), pause=0.0)
    calls: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _refuse)
        made.defer(calls.append, 1)
    assert calls == [1]
    done = threading.Event()
    made.defer(done.set)
    assert done.wait(60)
    made.close()


def test_its_thread_outlives_what_is_no_exception() -> None:
    """A cancellation that somebody's code lets out."""
    made = DeferredWork(Guard(), pause=0.0)
    done = threading.Event()
    made.defer(_cancelled)
    made.defer(done.set)
    assert done.wait(60)
    made.close()


def _refuse(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def _cancelled() -> None:
    raise asyncio.CancelledError


def test_a_fault_spoils_nothing_else() -> None:
    """It is counted, and the rest is done."""
    guard = Guard()
    made = DeferredWork(guard, pause=60.0)
    calls: list[int] = []
    made.defer(calls.append, 1)
    made.defer(lambda: 1 // 0)
    made.defer(calls.append, 2)
    made.close()
    assert (calls, guard.errors) == ([1, 2], 1)


def test_what_waits_is_bounded() -> None:
    """Beyond it, it is done where it is enqueued: nothing is lost."""
    idle = DeferredWork(Guard(strict=True), pause=60.0, most=3)
    calls: list[int] = []
    for number in range(5):
        idle.defer(calls.append, number)
    assert calls == [3, 4]
    idle.close()
    assert sorted(calls) == [0, 1, 2, 3, 4]


def test_after_its_end_it_is_done_at_once() -> None:
    """By the caller."""
    made = DeferredWork(Guard(), pause=60.0)
    calls: list[int] = []
    made.defer(calls.append, 1)
    made.close()
    made.defer(calls.append, 2)
    assert calls == [1, 2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_begins_with_an_empty_one(idle: DeferredWork) -> None:
    """What its parent has enqueued is the parent's; the child's own is done."""
    calls: list[str] = []
    idle.defer(calls.append, "parent")
    child = os.fork()
    if child == 0:
        idle.defer(calls.append, "child")
        idle.settle()
        os._exit(0 if calls == ["child"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    idle.settle()
    assert calls == ["parent"]


def test_a_thread_that_must_not_wait_is_asked_for_after_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter's lock is given away where it waits, and only there."""
    given: list[float] = []
    monkeypatch.setattr("ailoop_otel.recording.deferred.time.sleep", given.append)
    waits = iter([True, False, True])
    work = DeferredWork(Guard(strict=True), 60.0, is_waited_for=lambda: next(waits))
    for _ in range(3):
        work.defer(str)
    assert work.settle()
    assert given == [0, 0]
