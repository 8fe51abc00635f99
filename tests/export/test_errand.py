"""Things done beside the caller, who waits only so long."""

from __future__ import annotations

import threading

import pytest

from ailoop_otel.export.errand import Errand
from ailoop_otel.guard import Guard
from tests.export.child import in_child


def test_what_is_done_in_time_is_waited_for(guard: Guard) -> None:
    """The caller learns that it is done."""
    done: list[str] = []
    errand = Errand("test", guard)
    errand.send(lambda: done.append(threading.current_thread().name))
    assert errand.wait(5)
    assert done == ["test"]
    assert not errand.busy
    errand.end()


def test_what_hangs_is_left(guard: Guard) -> None:
    """The caller goes on when its time is up, and what is sent later waits its turn."""
    release = threading.Event()
    errand = Errand("test", guard)
    errand.send(lambda: release.wait(10))
    assert not errand.wait(0.01)
    assert errand.busy
    errand.send(lambda: None)
    assert not errand.wait(0.01)
    assert not errand.wait(-1.0)
    release.set()
    assert errand.wait(5)
    errand.end()


def test_a_fault_does_not_end_the_thread() -> None:
    """The barrier counts it, the caller is not kept waiting, and the next thing is done."""

    def fail() -> None:
        raise RuntimeError

    guard = Guard()
    errand = Errand("test", guard)
    errand.send(fail)
    assert errand.wait(5)
    errand.send(lambda: None)
    assert errand.wait(5)
    assert guard.errors == 1
    errand.end()


def test_the_thread_ends(guard: Guard) -> None:
    """After `end` no thread of it is left."""
    errand = Errand("a name that no other has", guard)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "a name that no other has"]
    errand.end()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_a_thread_of_its_own(guard: Guard) -> None:
    """Threads do not come along, so the child makes one, unless the errand had ended."""
    errand, ended = Errand("test", guard), Errand("ended", guard)
    ended.end()

    def work() -> bool:
        errand.send(lambda: None)
        names = {thread.name for thread in threading.enumerate()}
        return errand.wait(5) and "ended" not in names

    assert in_child(work) == 0
    errand.end()
