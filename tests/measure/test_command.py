"""`ailoop-otel measure` as users run it: a server of its own, a run directory, an exit code."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ailoop_otel.measure import definitions, storage
from ailoop_otel.measure.statistics import summarise
from tests.ailoop.process import DELEGATES, STATELESS, Server, standin
from tests.ailoop.provider import Provider
from tests.measure.scripted_server import command, free_port, scripted

ROOT = Path(__file__).parent.parent.parent
QUICK = ["--set", "warmup=0", "--set", "opening=200", "--set", "arrivals=constant"]


def program(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ailoop_otel.cli", "measure", *words],
        capture_output=True, text=True, timeout=60, cwd=cwd, env=environment(**variables),
    )  # fmt: skip


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AILOOP_", "OTEL_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


@pytest.mark.parametrize("dialect", [STATELESS, DELEGATES])
def test_a_server_is_started_measured_and_joined_with_its_telemetry(tmp_path: Path, dialect: str) -> None:
    """Both sides of the same messages are in one run, under the trace that the client made."""
    port = free_port()
    server = Server(standin(dialect), port=port)
    words = shlex.join([*server.installation.command, str(port)])
    with Provider() as provider:
        variables = {**provider.plain_environment(), "PYTHONPATH": f"{ROOT}{os.pathsep}{server.installation.root}"}
        ended = program(
            "mixed", "--url", f"ws://127.0.0.1:{port}/ws", "--start", words, "--out", "run", *QUICK,
            "--set", "rate=15", "--set", "sessions=15", "--set", "turns=1", "--set", "duration=1",
            "--message", "hello [[say chunks=3 delay=0.2 gap=0.05]]",
            cwd=tmp_path, **variables,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    directory = tmp_path / "run"
    names = {each.name for each in directory.iterdir()}
    assert {"run.json", "observations.csv", "observations.json", "summary.json", "summary.md", "report.html"} <= names
    assert {"server.log", "telemetry"} <= names
    run = storage.load(directory)
    assert run.context.server["dialect"] == dialect
    assert run.context.server["instrumented"]
    client, inside = (summarise(run, each) for each in (definitions.FIRST_CHUNK, definitions.SERVER_FIRST_CHUNK))
    assert client.n == inside.n == pytest.approx(15, abs=1)
    assert client.failures == 0
    assert 0.2 <= inside.p50 <= client.p50
    assert summarise(run, definitions.MEMORY).min > 10e6
    traces = {row.trace_id for row in run.of(definitions.SERVER_FIRST_CHUNK)}
    assert traces == {row.trace_id for row in run.of(definitions.FIRST_CHUNK)}
    assert "first run" in ended.stdout or "no baseline" in ended.stdout


def test_a_target_that_is_missed_is_exit_code_1(tmp_path: Path) -> None:
    """A slow server fails, with everything written all the same."""
    (tmp_path / "targets.toml").write_text('[first_chunk]\np50 = "10 ms"\n')
    with scripted(first=0.1) as server:
        ended = program(
            "mixed", "--url", server.url, "--pid", str(server.pid), "--targets", "targets.toml", "--out", "run",
            *QUICK, "--set", "rate=50", "--set", "duration=1.5", "--message", "hello", "--save-baseline", "base.json",
            cwd=tmp_path,
        )  # fmt: skip
    assert ended.returncode == 1, ended.stderr + ended.stdout
    assert "FAIL" in ended.stdout
    assert (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "base.json").exists()
    with (tmp_path / "run" / "observations.csv").open(newline="") as file:
        assert all(row["unit"] for row in csv.DictReader(file))


def test_ctrl_c_ends_with_a_report_and_no_process_left(tmp_path: Path) -> None:
    """What was measured until then is written, the server is stopped, and the exit code is 130."""
    port = free_port()
    words = ["--url", f"ws://127.0.0.1:{port}/ws", "--start", shlex.join(command(port, first=0.01)), "--no-instrument"]
    arguments = [sys.executable, "-m", "ailoop_otel.cli", "measure", "mixed", *words, "--out", "run", *QUICK]
    process = subprocess.Popen(
        [*arguments, "--set", "duration=60", "--set", "rate=40"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        _wait_for(tmp_path / "run" / "server.log", port)
        time.sleep(2.5)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, errors
    assert errors == ""
    assert "interrupted" in output
    assert json.loads((tmp_path / "run" / "run.json").read_text())["context"]["duration"] > 0
    assert (tmp_path / "run" / "report.html").exists()
    with pytest.raises(OSError, match="refused"):
        _connect(port)


def _wait_for(log: Path, port: int) -> None:
    deadline = time.monotonic() + 20
    while not log.exists() or not _listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _listens(port: int) -> bool:
    try:
        _connect(port)
    except OSError:
        return False
    return True


def _connect(port: int) -> None:
    import socket

    socket.create_connection(("127.0.0.1", port), 1).close()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "name a scenario: ai_service_timeout"),
        (["mixd"], "did you mean `mixed`"),
        (["mixed", "--set", "sesions=3"], "did you mean `sessions`"),
        (["mixed", "--start", "x", "--pid", "3"], "leave one of them out"),
        (["mixed", "--url", "ws://127.0.0.1:1/ws"], "is the server running"),
        (["mixed", "--url", "nonsense"], "it looks like ws://127.0.0.1:8000/ws"),
        (["mixed", "--url", "nonsense", "--start", "true"], "it looks like ws://127.0.0.1:8000/ws"),
        (["mixed", "--targets", "none.toml"], "none.toml"),
        (["mixed", "--tolerance", "much"], "--tolerance"),
        (["mixed", "--out", "."], "holds a run already"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], expected: str
) -> None:
    """Before anything is measured."""
    from ailoop_otel import cli

    (tmp_path / "run.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["measure", *words]) == 2
    said = capsys.readouterr()
    assert expected in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_the_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with what it does."""
    from ailoop_otel import cli

    assert cli.main(["measure", "--list"]) == 0
    listing = capsys.readouterr().out
    assert "concurrent_sessions" in listing
    assert "The largest number of sessions that stays stable" in listing
