"""`ailoop-otel measure` as users run it: a server of its own, a run directory, an exit code."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from ailoop_otel import cli
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.statistics.percentiles import summarise
from tests.ailoop.process import DELEGATES, MIXED, STATELESS, Server, standin
from tests.ailoop.provider import Provider
from tests.measure.scripted_server import Scripted, command, free_port

ROOT = Path(__file__).parents[3]
LIMITS = {STATELESS: "60 s", DELEGATES: "10 ms", MIXED: "60 s"}
# Seconds: the client's clock is the server's, what lies between is the loopback, and a chunk more or less is 0.05.
CLOSE = 0.025
PATIENCE = 240
QUICK = ["--set", "warmup=0", "--set", "opening=200", "--set", "arrivals=constant"]


def program(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ailoop_otel.cli", "measure", *words],
        capture_output=True, text=True, timeout=PATIENCE, cwd=cwd, env=environment(**variables),
    )  # fmt: skip


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AILOOP_", "OTEL_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


@dataclass(frozen=True)
class Ended:
    """What a run of the program left."""

    code: int
    output: str
    errors: str
    directory: Path


def _joined(dialect: str, folder: Path) -> Ended:
    """A stand-in, started, measured, stopped, and held against a target that it misses in one of them."""
    (folder / "targets.toml").write_text(f'[first_chunk]\np50 = "{LIMITS[dialect]}"\n')
    port = free_port()
    server = Server(standin(dialect), port=port)
    with Provider() as provider:
        variables = {**provider.plain_environment(), "PYTHONPATH": f"{ROOT}{os.pathsep}{server.installation.root}"}
        ended = program(
            "mixed", "--url", f"ws://127.0.0.1:{port}/ws", "--out", "run", *QUICK,
            "--start", shlex.join([*server.installation.command, str(port)]),
            "--set", "sessions=20", "--set", "turns=1", "--set", "duration=1.5",
            "--message", "hello [[say chunks=3 delay=0.2 gap=0.05]]", "--targets", "targets.toml",
            "--set", "rate=20", "--save-baseline", "base.json", "--baseline", "run",
            cwd=folder, **variables,
        )  # fmt: skip
    return Ended(ended.returncode, ended.stdout, ended.stderr, folder / "run")


def _interrupted(folder: Path) -> Ended:
    """The end of a CI job in the middle, which is like a Ctrl-C; the server is gone afterwards."""
    port = free_port()
    words = [
        "--url",
        f"ws://127.0.0.1:{port}/ws",
        "--start",
        shlex.join(command(port, first=0.01, told=20)),
        "--no-instrument",
    ]
    arguments = [sys.executable, "-m", "ailoop_otel.cli", "measure", "mixed", *words, "--out", "run", *QUICK]
    process = subprocess.Popen(
        [*arguments, "--set", "duration=60", "--set", "rate=40"],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        _wait_for_answers(folder / "run" / "server.log")
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert not _listens(port)
    return Ended(process.returncode, output, errors, folder / "run")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """All runs of the program, at once: most of their time they wait."""
    runs = {
        STATELESS: partial(_joined, STATELESS),
        DELEGATES: partial(_joined, DELEGATES),
        MIXED: partial(_joined, MIXED),
        "interrupted": _interrupted,
    }
    with ThreadPoolExecutor() as pool:
        begun = {name: pool.submit(run, tmp_path_factory.mktemp(name)) for name, run in runs.items()}
    return {name: future.result() for name, future in begun.items()}


@pytest.mark.parametrize("dialect", [STATELESS, DELEGATES, MIXED])
def test_a_server_is_started_measured_and_joined_with_its_telemetry(together: dict[str, Ended], dialect: str) -> None:
    """Both sides of the same messages are in one run, under the trace that the client made."""
    ended = together[dialect]
    assert ended.errors == ""
    names = {each.name for each in ended.directory.iterdir()}
    assert {"run.json", "observations.csv", "observations.json", "summary.json", "summary.md", "report.html"} <= names
    assert {"server.log", "telemetry"} <= names
    run = storage.load(ended.directory)
    assert run.context.server["dialect"] == dialect
    assert run.context.server["instrumented"]
    client, inside = (summarise(run, each) for each in (definitions.FIRST_CHUNK, definitions.SERVER_FIRST_CHUNK))
    assert client.n == inside.n >= 29  # more where a busy machine ends the three seconds late
    assert client.failures == 0
    assert 0.2 <= inside.p50 <= client.p50
    assert summarise(run, definitions.MEMORY).min > 10e6
    traces = {row.trace_id for row in run.of(definitions.SERVER_FIRST_CHUNK)}
    assert traces == {row.trace_id for row in run.of(definitions.FIRST_CHUNK)}
    assert "no baseline" in ended.output
    assert "The baseline run is not there yet" in " ".join(ended.output.split())


@pytest.mark.parametrize("dialect", [STATELESS, DELEGATES, MIXED])
def test_both_sides_measure_the_same(together: dict[str, Ended], dialect: str) -> None:
    """The machine is busy and delays now one message, now another: of so many the closest counts."""
    run = storage.load(together[dialect].directory)
    delays = {row.trace_id: row.value for row in run.of(definitions.SEND_DELAY)}
    pairs = [
        (definitions.FIRST_CHUNK, definitions.SERVER_FIRST_CHUNK),
        (definitions.COMPLETION, definitions.SERVER_COMPLETION),
    ]
    for client, server in pairs:
        inside = {row.trace_id: row.value for row in run.of(server)}
        waited = [row.value - delays[row.trace_id] - inside[row.trace_id] for row in run.of(client)]
        assert min(map(abs, waited)) < CLOSE
    # Three chunks each: two gaps, of 50 ms; chunks that a busy client reads at once have none between them.
    assert 0 < run.histograms[definitions.CHUNK_GAP.name].get_total_count() <= 2 * len(delays)
    assert max(row.value for row in run.of(definitions.LONGEST_GAP)) >= 0.05


@pytest.mark.parametrize(("dialect", "code"), [(STATELESS, 0), (DELEGATES, 1), (MIXED, 0)])
def test_a_target_that_is_missed_is_exit_code_1(together: dict[str, Ended], dialect: str, code: int) -> None:
    """The verdict is the exit code, and everything is written all the same."""
    ended = together[dialect]
    assert ended.code == code
    assert ("PASS", "FAIL")[code] in ended.output
    assert (ended.directory.parent / "base.json").exists()
    with (ended.directory / "observations.csv").open(newline="") as file:
        assert all(row["unit"] for row in csv.DictReader(file))


def test_several_runs_are_measured_and_judged_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answering: Scripted
) -> None:
    """Each has its directory, the report is one, and they are a baseline of several runs for the next ones."""
    monkeypatch.chdir(tmp_path)
    words = ["measure", "mixed", "--url", answering.url, *QUICK, "--set", "duration=0.6", "--set", "rate=50",
             "--message", "first=0.02", "--runs", "2"]  # fmt: skip
    assert cli.main([*words, "--out", "before", "--save-baseline", "base.json"]) == 0
    assert "NOT JUDGED" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "before").iterdir()) == [
        "01", "02", "junit.xml", "report.html", "summary.json", "summary.md",
    ]  # fmt: skip
    summary = json.loads((tmp_path / "before" / "summary.json").read_text())
    assert summary["judgement"]["verdict"] == "not judged"
    counted = [len(storage.load(tmp_path / "before" / name).observations) for name in ("01", "02")]
    assert summary["requests"]["exchanges"] > 40
    assert min(counted) > 40
    assert cli.main([*words, "--out", "after", "--baseline", "before", "--tolerance", "900 %"]) == 0
    assert "with one run on each side" not in " ".join(capsys.readouterr().out.split())
    assert _compared("after") == {(2, 2)}
    again = ["report", "after", "--baseline", "base.json", "--tolerance", "900 %"]
    assert cli.main([*again, "--out", "report"]) == 0
    assert _compared("report") == {(2, 2)}


def _compared(directory: str) -> set[tuple[int, int]]:
    """How many runs of each side the figures were judged by."""
    judgement = json.loads((Path(directory) / "summary.json").read_text())["judgement"]
    return {(row["n"], row["reference_n"]) for row in judgement["rows"] if row["metric"] != "error_rate"}


def test_an_interruption_ends_with_a_report(together: dict[str, Ended]) -> None:
    """What was measured until then is written, and the exit code is 130."""
    ended = together["interrupted"]
    assert (ended.code, ended.errors) == (130, "")
    assert "INCONCLUSIVE" in ended.output
    assert "It was interrupted: run it to its end for a verdict" in ended.output
    assert "PASS" not in ended.output
    assert json.loads((ended.directory / "run.json").read_text())["context"]["duration"] > 0
    assert (ended.directory / "report.html").exists()


def _wait_for_answers(log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not log.exists() or "20 answers" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "name a scenario: ai_service_timeout"),
        (["mixd"], "did you mean `mixed`"),
        (["mixed", "--set", "sesions=3"], "did you mean `sessions`"),
        (["mixed", "--start", "x", "--pid", "3"], "leave one of them out"),
        (["mixed", "--no-instrument"], "give --start, or leave it out"),
        (["mixed", "--message", "hello", "--messages", "gone.jsonl"], "leave one of them out"),
        (["mixed", "--tolerance", "5 %"], "give --baseline, or leave it out"),
        (["mixed", "--url", "ws://127.0.0.1:1/ws"], "is the server running"),
        (["mixed", "--url", "nonsense"], "it looks like ws://127.0.0.1:8000/ws"),
        (["mixed", "--url", "nonsense", "--start", "true"], "it looks like ws://127.0.0.1:8000/ws"),
        (["mixed", "--targets", "none.toml"], "none.toml"),
        (["mixed", "--baseline", "base", "--tolerance", "much"], "--tolerance"),
        (["mixed", "--baseline", "typo"], "the baseline typo is not there: give a run directory"),
        (["mixed", "--baseline", "base", "--save-baseline", "base", "--url", "nonsense"], "it looks like ws://"),
        (["mixed", "--baseline", "new", "--out", "new", "--url", "nonsense"], "it looks like ws://"),
        (["mixed", "--out", "."], "holds a run already"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], expected: str
) -> None:
    """Before anything is measured."""
    (tmp_path / "run.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["measure", *words]) == 2
    output = capsys.readouterr()
    assert expected in output.err
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_the_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with what it does."""
    assert cli.main(["measure", "--list"]) == 0
    listing = capsys.readouterr().out
    assert "concurrent_sessions" in listing
    assert "The largest number of sessions that stays stable" in listing
    assert "--set KEY=VALUE" in listing
    assert "stable.first_chunk_p95" in listing
