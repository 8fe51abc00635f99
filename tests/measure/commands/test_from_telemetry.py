"""`measure --from-telemetry`: what a server recorded is sent again, in the same sessions, at the same times."""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from pathlib import Path

import pytest
from rich.console import Console

from ailoop_otel import cli
from ailoop_otel.measure.commands import measure
from ailoop_otel.measure.commands.options import MeasureOptions
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.telemetry.reading import read
from tests.ailoop.process import STATELESS, Server, standin
from tests.ailoop.provider import Provider
from tests.measure.commands.test_measure import QUICK, ROOT, program
from tests.measure.scripted_server import free_port, scripted

PACE = 4.0


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The telemetry of a stand-in that was asked for three seconds, in sessions of two messages, and commands."""
    folder = tmp_path_factory.mktemp("recording")
    port = free_port()
    server = Server(standin(STATELESS), port=port)
    with Provider() as provider:
        variables = {**provider.plain_environment(), "PYTHONPATH": f"{ROOT}{os.pathsep}{server.installation.root}"}
        ended = program(
            "mixed", "--url", f"ws://127.0.0.1:{port}/ws", "--out", "run", *QUICK, "--set", "duration=3",
            "--set", "sessions=4", "--set", "turns=2", "--set", "rate=8",
            "--start", shlex.join([*server.installation.command, str(port)]),
            "--message", "hello [[say chunks=3 delay=0.1 gap=0.02]]", "--message", "/help", cwd=folder, **variables,
        )  # fmt: skip
    assert ended.stderr == ""
    return folder / "run" / "telemetry"


def test_the_plan_is_the_recording(recording: Path, tmp_path: Path) -> None:
    """Count, order in each session, and gaps: those of the telemetry, four times as fast, to a microsecond."""
    telemetry = read(recording).telemetry
    expected = defaultdict(list)
    for exchange in telemetry.exchanges.values():
        expected[exchange.session_id].append(exchange.start / 1e9)
    with scripted(first=0.01) as server:
        code = measure.run(
            MeasureOptions(
                "", server.url, out=str(tmp_path / "again"), from_telemetry=str(recording), pace=f"{PACE:g}x"
            ),
            Console(quiet=True),
        )
    assert code == 0
    run = storage.load(tmp_path / "again")
    sent = defaultdict(list)
    for metric in (definitions.FIRST_CHUNK, definitions.COMMAND):
        for row in run.of(metric):
            sent[row.session].append(row.at * PACE)
    first = min(map(min, expected.values()))
    begin = min(map(min, sent.values()))
    assert sorted([at - begin for at in sorted(each)] for each in sent.values()) == [
        pytest.approx([at - first for at in sorted(each)], abs=1e-4) for each in sorted(expected.values(), key=min)
    ]
    assert len(list(run.of(definitions.SESSION_DURATION))) == len(telemetry.begun)
    assert run.context.scenario == "recorded"
    assert str(recording) in run.context.notes[0]
    assert "Recorded traffic of" in (tmp_path / "again" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--from-telemetry", "nowhere"], "nowhere is not there: name the directory"),
        (["mixed", "--from-telemetry", "."], "leave a scenario out"),
        (["--from-telemetry", ".", "--rates", "1,2"], "leave --rates out"),
        (["--from-telemetry", "."], "no telemetry in ."),
        (["--from-telemetry", ".", "--pace", "fast"], "--pace 'fast' is not understood: write 1x, 2x or 0.5x"),
        (["--from-telemetry", ".", "--since", "yesterday"], "--since 'yesterday' is no time"),
        (["mixed", "--since", "1h"], "--since is for recorded traffic: give --from-telemetry DIR"),
        (["mixed", "--pace", "2x"], "--pace is for recorded traffic"),
        (["mixed", "--seconds", "5"], "--seconds is for a level of --rates or --sessions"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the mend."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["measure", *words]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_nothing_since_then_is_one_line(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the option to change."""
    assert cli.main(["measure", "--from-telemetry", str(recording), "--since", "2199-01-01"]) == 2
    assert "leave --since out" in capsys.readouterr().err
