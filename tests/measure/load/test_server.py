"""A started server listens, is instrumented, and has ended afterwards; if it does not start, the reason is given.

Memory and CPU are those of a process with its children.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load.server import LOG, ProcessTree, ResourceSampler, running_server
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Phase
from tests.measure.scripted_server import command, free_port

# Says its environment, then listens.
LISTENER = """
import json, os, socket, sys
print(json.dumps(dict(os.environ)), flush=True)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True: listener.accept()
"""


def listener(port: int) -> str:
    return shlex.join([sys.executable, "-c", LISTENER, str(port)])


def url(port: int) -> str:
    return f"ws://127.0.0.1:{port}/ws"


@pytest.mark.parametrize("instrument", [True, False])
def test_a_server_is_instrumented_and_trusts_the_clients_traces(tmp_path: Path, instrument: bool) -> None:
    """Its environment switches instrumentation on, with a directory for telemetry, or off."""
    port = free_port()
    with running_server(listener(port), url(port), tmp_path / "run", instrument=instrument) as server:
        assert psutil.pid_exists(server.pid)
    environment = json.loads(server.log.read_text())
    assert environment["AILOOP_OTEL_ENABLED"] == ("true" if instrument else "false")
    assert (environment.get("AILOOP_OTEL_DIRECTORY") == str(tmp_path / "run" / "telemetry")) == instrument
    assert (environment.get("AILOOP_OTEL_TRUST_CLIENT_TRACE") == "true") == instrument
    assert not psutil.pid_exists(server.pid)


def test_a_shells_children_go_too(tmp_path: Path) -> None:
    """A start script's own server does not outlive the run."""
    port = free_port()
    script = f"{listener(port)} & wait"
    with running_server(shlex.join(["sh", "-c", script]), url(port), tmp_path) as server:
        members = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        assert len(members) == 2
    assert not any(each.is_running() for each in members)


def test_what_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that will not go is made to."""
    monkeypatch.setattr("ailoop_otel.measure.load.server._STOPPING", 0.3)
    port = free_port()
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTENER
    begun = time.monotonic()
    with running_server(shlex.join([sys.executable, "-c", stubborn, str(port)]), url(port), tmp_path) as server:
        pass
    assert not psutil.pid_exists(server.pid)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "--start is empty"),
        ("python 'x", "put quotes around the whole command"),
        ("no-such-command --port 1", "there is no command no-such-command"),
        (
            f"{sys.executable} -c \"import sys; sys.exit('no key is set')\"",
            "ended with 1 before it listened.*no key is set",
        ),
        (
            f'{sys.executable} -c "import time; time.sleep(60)"',
            "does not listen on .* after 0.5 s; it said nothing",
        ),
    ],
)
def test_what_does_not_come_up_is_refused(tmp_path: Path, words: str, expected: str) -> None:
    """The error quotes the server's last words and names the file with all of them."""
    with pytest.raises(Refusal, match=expected), running_server(words, url(free_port()), tmp_path, patience=0.5):
        pass


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    """Nobody is measured by mistake."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(Refusal, match="already; stop it, or leave out --start"),
            running_server(shlex.join(command(port)), url(port), tmp_path),
        ):
            pass
    assert not (tmp_path / LOG).exists()


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
            tree = ProcessTree(process.pid)
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
        ProcessTree(process.pid)


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_samples_have_their_phase_and_their_sessions() -> None:
    """Twice a second, in a thread of its own; the warm-up is no part of the slope over sessions."""
    state: list[tuple[Phase, int, int]] = [("warmup", 1, 1)]
    with ResourceSampler(time.perf_counter(), lambda: state[0], os.getpid()) as sampler:
        _until(lambda: sampler.observations)
        state[0] = ("run", 4, 6)
        _until(lambda: any(row.metric == definitions.CPU.name for row in sampler.observations))
    sessions = [row for row in sampler.observations if row.metric == definitions.SESSIONS.name]
    memory = [row for row in sampler.observations if row.metric == definitions.MEMORY.name]
    assert (sessions[0].phase, sessions[0].value) == ("warmup", 1.0)
    assert (sessions[-1].phase, sessions[-1].value) == ("run", 4.0)
    assert len(memory) == len(sessions)
    assert all(row.value > 1e6 for row in memory)
    assert any(row.metric == definitions.CPU.name for row in sampler.observations)
    assert {opened for opened, _ in sampler.by_opened} == {6}
    assert not sampler.lost


def test_a_process_that_ends_after_the_last_sample_is_lost() -> None:
    """There are up to half a second between the last sample and the end."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with ResourceSampler(time.perf_counter(), lambda: ("run", 2, 2), process.pid) as sampler:
        _until(lambda: sampler.observations)
        process.kill()
        process.communicate()
    assert sampler.lost


def test_without_a_process_there_are_only_sessions() -> None:
    """A server elsewhere has no memory here."""
    with ResourceSampler(time.perf_counter(), lambda: ("run", 2, 2), None) as sampler:
        pass
    assert {row.metric for row in sampler.observations} <= {definitions.SESSIONS.name}
