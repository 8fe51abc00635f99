"""A server of our own comes up, is instrumented, and is gone afterwards; what does not come up says why."""

from __future__ import annotations

import json
import shlex
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load.server import LOG, started
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
    """Its environment says so, and where its telemetry goes; or that it is to be left alone."""
    port = free_port()
    with started(listener(port), url(port), tmp_path / "run", instrument=instrument) as server:
        assert psutil.pid_exists(server.pid)
    said = json.loads(server.log.read_text())
    assert said["AILOOP_OTEL_ENABLED"] == ("true" if instrument else "false")
    assert (said.get("AILOOP_OTEL_DIRECTORY") == str(tmp_path / "run" / "telemetry")) == instrument
    assert (said.get("AILOOP_OTEL_TRUST_CLIENT_TRACE") == "true") == instrument
    assert not psutil.pid_exists(server.pid)


def test_a_shells_children_go_too(tmp_path: Path) -> None:
    """A start script's own server does not outlive the run."""
    port = free_port()
    script = f"{listener(port)} & wait"
    with started(shlex.join(["sh", "-c", script]), url(port), tmp_path) as server:
        members = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        assert len(members) == 2
    assert not any(each.is_running() for each in members)


def test_what_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that will not go is made to."""
    monkeypatch.setattr("ailoop_otel.measure.load.server._STOPPING", 0.3)
    port = free_port()
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTENER
    begun = time.monotonic()
    with started(shlex.join([sys.executable, "-c", stubborn, str(port)]), url(port), tmp_path) as server:
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
        (f'{sys.executable} -c "import time; time.sleep(60)"', "does not listen on .* after 0.5 s; it said nothing"),
    ],
)
def test_what_does_not_come_up_is_refused(tmp_path: Path, words: str, expected: str) -> None:
    """The error quotes the server's last words and names the file with all of them."""
    with pytest.raises(Refusal, match=expected), started(words, url(free_port()), tmp_path, patience=0.5):
        pass


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    """Nobody is measured by mistake."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(Refusal, match="already; stop it, or leave out --start"),
            started(shlex.join(command(port)), url(port), tmp_path),
        ):
            pass
    assert not (tmp_path / LOG).exists()
