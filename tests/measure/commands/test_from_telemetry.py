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
from ailoop_otel.measure.load import campaign, scenario
from ailoop_otel.measure.load.server import running_server
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.telemetry.reading import read
from tests.ailoop.process import STATELESS, standin
from tests.ailoop.provider import Provider
from tests.measure.commands.test_measure import ROOT
from tests.measure.scripted_server import Scripted, free_port

PACE = 4.0


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The telemetry of a stand-in that was asked for three seconds, in sessions of two messages, and commands."""
    folder, port = tmp_path_factory.mktemp("recording"), free_port()
    installation, url = standin(STATELESS), f"ws://127.0.0.1:{port}/ws"
    settings = ["warmup=0", "opening=200", "arrivals=constant", "duration=3", "sessions=4", "turns=2", "rate=8"]
    messages = ["hello [[say chunks=3 delay=0.1 gap=0.02]]", "/help"]
    with Provider() as provider, pytest.MonkeyPatch.context() as environment:
        variables = {**provider.plain_environment(), "PYTHONPATH": f"{ROOT}{os.pathsep}{installation.root}"}
        for name, value in variables.items():
            environment.setenv(name, value)
        with running_server(shlex.join([*installation.command, str(port)]), url, folder) as server:
            campaign.measure(scenario.load("mixed", settings, messages), url)
    assert server.telemetry is not None
    return server.telemetry


def test_the_plan_is_the_recording(recording: Path, tmp_path: Path, answering: Scripted) -> None:
    """Count, order in each session, and gaps: those of the telemetry, four times as fast, to a microsecond."""
    telemetry = read(recording).telemetry
    expected = defaultdict(list)
    for exchange in telemetry.exchanges.values():
        expected[exchange.session_id].append(exchange.start / 1e9)
    options = MeasureOptions(
        url=answering.url, out=str(tmp_path / "again"), from_telemetry=str(recording), pace=f"{PACE:g}x"
    )
    code = measure.run(options, Console(quiet=True))
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
