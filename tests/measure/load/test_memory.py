"""Memory and CPU of a process with its children, and what is said where they cannot be read."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load.memory import Sampler, Tree
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Phase

SIZE = 60_000_000
# A process that does nothing with a child that holds memory and has burnt some CPU.
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", '''
held = bytes(range(250)) * ({SIZE} // 250)
end = __import__("time").process_time() + 0.3
while __import__("time").process_time() < end: pass
print("ready", flush=True); __import__("sys").stdin.read()
'''], stdin=subprocess.PIPE)
sys.stdin.read(); child.stdin.close(); child.wait()
print("alone", flush=True)
__import__("time").sleep(60)
"""


def test_children_count_and_their_time_is_not_lost() -> None:
    """Memory falls when a child ends; CPU time never does."""
    words = [sys.executable, "-c", PARENT]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            tree = Tree(process.pid)
            together = tree.read()
            process.stdin.close()
            assert process.stdout.readline() == "alone\n"
            alone = tree.read()
        finally:
            process.kill()
    assert together is not None
    assert alone is not None
    assert together[0] - alone[0] > 0.9 * SIZE
    assert together[1] >= 0.3
    assert alone[1] >= together[1]
    assert tree.read() is None


def test_a_process_that_is_not_there_is_refused() -> None:
    """Before the run, not after it."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(Refusal, match=f"there is no process {process.pid}; give"):
        Tree(process.pid)


def test_samples_have_their_phase_and_their_sessions() -> None:
    """Twice a second, in a thread of its own; the warm-up is no part of the slope over sessions."""
    state: list[tuple[Phase, int, int]] = [("warmup", 1, 1)]
    with Sampler(time.perf_counter(), lambda: state[0], os.getpid()) as sampler:
        time.sleep(0.2)
        state[0] = ("run", 4, 6)
        time.sleep(0.6)
    sessions = [row for row in sampler.observations if row.metric == definitions.SESSIONS.name]
    memory = [row for row in sampler.observations if row.metric == definitions.MEMORY.name]
    assert [(row.phase, row.value) for row in sessions[:2]] == [("warmup", 1.0), ("run", 4.0)]
    assert len(memory) == len(sessions)
    assert all(row.value > 1e6 for row in memory)
    assert any(row.metric == definitions.CPU.name for row in sampler.observations)
    assert {opened for opened, _ in sampler.by_opened} == {6}
    assert not sampler.lost


def test_without_a_process_there_are_only_sessions() -> None:
    """A server elsewhere has no memory here."""
    with Sampler(time.perf_counter(), lambda: ("run", 2, 2), None) as sampler:
        pass
    assert {row.metric for row in sampler.observations} <= {definitions.SESSIONS.name}
