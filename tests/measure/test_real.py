"""All scenarios, made short, against the real servers: AILOOP_CHECKOUT names their checkouts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from ailoop_otel.measure.commands import measure as command
from ailoop_otel.measure.commands.options import MeasureOptions
from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.load.campaign import measure
from ailoop_otel.measure.load.server import running_server
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics.percentiles import summarise
from ailoop_otel.measure.telemetry.reconciliation import reconciled
from tests.ailoop.process import DELEGATES, STATELESS, Installation, checkout, free_port
from tests.ailoop.provider import Provider
from tests.serving.conftest import CHECKOUTS, PYTHON, wheel_installed

__all__ = ["wheel_installed"]

pytestmark = [
    pytest.mark.real_ailoop,
    pytest.mark.skipif(not CHECKOUTS, reason="AILOOP_CHECKOUT is not set"),
    pytest.mark.usefixtures("wheel_installed"),
]
SHORT = {
    "memory_usage": "ramp.start=4 ramp.step=8 ramp.most=20 ramp.seconds=1.2 ramp.rate=0.3 warmup=0.5",
    "long_running_session": "most_messages=10 think=0.05 warmup=0",
    "throughput": "sessions=5 duration=3 warmup=0.5",
    "concurrent_sessions": "ramp.start=3 ramp.step=3 ramp.most=6 ramp.seconds=2 ramp.rate=1 stable.hold=2 warmup=0.5 "
    "stable.first_chunk_p95=10",
    "soak": "duration=3 warmup=0.5 rate=4 sessions=6 turns=3",
    "mixed": "duration=3 warmup=0.5 sessions=10",
    "user_kinds": "duration=3 warmup=0.5 sessions=6",
    "spike": "duration=3 warmup=0.5 sessions=10",
}
# The current generation never gives an AI up before a minute: here it is the AI that does, and the deadline is shorter.
SILENT = "[[fail status=504 delay=2.5]]"


@pytest.fixture(params=CHECKOUTS or ["none"], ids=lambda path: Path(path).name)
def installation(request: pytest.FixtureRequest) -> Installation:
    """Each real server there is."""
    return checkout(request.param, PYTHON)


@pytest.fixture
def at_home(installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the server's own directory, with an AI that answers."""
    monkeypatch.chdir(installation.root)
    monkeypatch.setenv("HOME", str(tmp_path))
    with Provider(default="say chunks=5 delay=0.15 gap=0.03") as provider:
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        yield


def start_words(installation: Installation, port: int) -> str:
    return shlex.join([*installation.command, str(port)])


@pytest.mark.usefixtures("at_home")
def test_scenarios_run_and_both_sides_agree(installation: Installation, tmp_path: Path) -> None:
    """Each message that a client measured is in the server's telemetry, as fast and as well answered."""
    port = free_port()
    url = f"ws://127.0.0.1:{port}/ws"
    runs = {}
    with running_server(start_words(installation, port), url, tmp_path) as server:
        for name, short in SHORT.items():
            runs[name] = measure(scenario.load(name, ["opening=50", *short.split()]), url, pid=server.pid)
    assert server.telemetry is not None
    for name, run in runs.items():
        _check(name, reconciled(run, server.telemetry), installation)
    (stable,) = runs["concurrent_sessions"].of(definitions.STABLE_SESSIONS)
    assert stable.value == 6
    (rate,) = runs["throughput"].of(definitions.RATE)
    assert rate.value > 1
    assert [*runs["memory_usage"].of(definitions.MEMORY_PER_SESSION)]


def _check(name: str, run: Run, installation: Installation) -> None:
    client, server = (summarise(run, each) for each in (definitions.COMPLETION, definitions.SERVER_COMPLETION))
    assert client.n == server.n > 0, name
    assert client.failures == server.failures == 0, name
    assert run.context.server["dialect"] == installation.dialect, name
    assert summarise(run, definitions.MEMORY).min > 10e6, name
    first, inside = (summarise(run, each) for each in (definitions.FIRST_CHUNK, definitions.SERVER_FIRST_CHUNK))
    assert 0.15 <= inside.p50 <= first.p50 < inside.p50 + 1, name


@pytest.mark.usefixtures("at_home")
def test_timeouts_are_told_from_the_command_line(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is started and stopped, and its report has the times at which the timeout was noticed and reported."""
    monkeypatch.setenv("AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK", "1.5")
    port = free_port()
    options = MeasureOptions(
        "ai_service_timeout",
        f"ws://127.0.0.1:{port}/ws",
        start=start_words(installation, port),
        out=str(tmp_path / "run"),
        settings=["most_messages=3", "patience=40"],
        messages=[SILENT] if installation.dialect == STATELESS else [],
    )
    assert command.run(options, Console(width=100)) == 0
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    _check_timeouts(installation, storage.load(tmp_path / "run"))


def _check_timeouts(installation: Installation, run: Run) -> None:
    """The earlier generation gives the AI up after ten seconds, and our deadline passes before."""
    reported, detected = (summarise(run, each) for each in (definitions.TIMEOUT_TOLD, definitions.TIMEOUT_DETECTED))
    assert reported.n == 3
    assert reported.min >= (10 if installation.dialect == DELEGATES else 2.5)
    assert detected.n >= 3
    assert 1.5 <= detected.min < 2.5
    assert summarise(run, definitions.DETECTION_DELAY).max < 1
