"""One run, seen by its clients and by its server: each figure has one definition, so both reports show the same."""

from __future__ import annotations

import os
import shlex

import pytest

from ailoop_otel.measure.report.contents import Report, build_report
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.telemetry.reading import read, run_from
from tests.ailoop.process import STATELESS, Server, standin
from tests.ailoop.provider import Provider
from tests.measure.commands.test_measure import ROOT, program
from tests.measure.scripted_server import free_port

MESSAGES = ("hello [[say chunks=3 delay=0.1 gap=0.02]]", "hello [[say chunks=4 delay=0.2 gap=0.02]]", "/help",
            "[[fail]]", "[[cut after=1]]")  # fmt: skip
# What one side alone can see.
CLIENT_ONLY = {definitions.ACKNOWLEDGEMENT, definitions.CHUNK_GAP, definitions.SEND_DELAY, definitions.SESSION_START,
               definitions.FIRST_CHUNK_DIFFERENCE, definitions.COMPLETION_DIFFERENCE}  # fmt: skip
# What the server measures, what its clients do, and by how much each of them waited longer than its server says.
CLIENTS = {
    definitions.SERVER_FIRST_CHUNK: (definitions.FIRST_CHUNK, definitions.FIRST_CHUNK_DIFFERENCE),
    definitions.SERVER_COMPLETION: (definitions.COMPLETION, definitions.COMPLETION_DIFFERENCE),
}
# How far apart the largest of both may be, as a share: samples are not taken at the same moments, and how many are of
# the time before and after the load depends on how fast the machine is.
SAMPLED = {definitions.MEMORY: 0.1, definitions.SESSIONS: 0.1, definitions.MEMORY_PER_SESSION: 0.5,
           definitions.MEMORY_GROWTH: 0.5, definitions.CPU: 0.5, definitions.RATE: 0.05}  # fmt: skip


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Report]:
    """The report of a load test with slash commands and failures, and the one on its server's telemetry."""
    folder, port = tmp_path_factory.mktemp("sides"), free_port()
    server = Server(standin(STATELESS), port=port)
    with Provider() as provider:
        variables = {**provider.plain_environment(), "PYTHONPATH": f"{ROOT}{os.pathsep}{server.installation.root}"}
        ended = program(
            "mixed", "--url", f"ws://127.0.0.1:{port}/ws", "--out", "run",
            "--start", shlex.join([*server.installation.command, str(port)]),
            *(word for text in MESSAGES for word in ("--message", text)),
            *(word for each in ("warmup=0", "opening=200", "sessions=10", "turns=2", "rate=25", "duration=10")
              for word in ("--set", each)),
            cwd=folder, **variables, OTEL_METRIC_EXPORT_INTERVAL="500",
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    client, inside = storage.load(folder / "run"), run_from(read(folder / "run" / "telemetry"))
    return build_report(client), build_report(inside)


def _figures(report: Report, definition: Definition) -> tuple[int, int, int, float, float]:
    row = report.row(definition)
    assert row is not None, definition.name
    return row.summary.n, row.summary.failures, row.summary.missing, row.summary.mean, row.summary.max


def test_every_figure_of_both_reports_agrees(sides: tuple[Report, Report]) -> None:
    """Counts and failures to the last one, times but for the loopback, samples but for the moments they are of."""
    client, server = sides
    shown = {row.definition for row in server.rows}
    of_clients = {definitions.FIRST_CHUNK, definitions.COMPLETION, definitions.COMMAND}
    assert shown | CLIENT_ONLY | of_clients >= {row.definition for row in client.rows}
    for definition in shown:
        ours, theirs = _figures(client, definition), _figures(server, definition)
        if definition in SAMPLED:
            assert theirs[4] == pytest.approx(ours[4], rel=SAMPLED[definition]), definition.name
        else:
            assert theirs[:3] == ours[:3], definition.name
            assert theirs[3] == pytest.approx(ours[3], abs=0.05), definition.name


def test_clients_waited_as_long_as_their_server_says_and_the_difference(sides: tuple[Report, Report]) -> None:
    """Of all exchanges: the means differ by the mean of what each one differs by, however slow the machine is."""
    client, server = sides
    for measured, (waited, difference) in CLIENTS.items():
        ours, longer, theirs = _figures(client, waited), _figures(client, difference), _figures(server, measured)
        assert ours[:3] == theirs[:3]
        assert longer[0] == ours[0]
        assert ours[3] - longer[3] == pytest.approx(theirs[3], abs=0.001)
    assert _figures(client, definitions.COMMAND)[:3] == _figures(server, definitions.SERVER_COMMAND)[:3]


def test_the_same_exchanges_failed(sides: tuple[Report, Report]) -> None:
    """Of both reports, errors by kind and their share; slash commands are in no denominator."""
    client, server = sides
    assert len(client.exchanges) == len(server.exchanges)
    assert client.failures == server.failures
    assert client.failed > 0


def test_a_reports_head_says_what_its_axes_span(sides: tuple[Report, Report]) -> None:
    """The duration of a run from telemetry is that of all of it, not from its first message to its last answer."""
    at = [row.at for row in sides[1].run.observations if row.metric == definitions.MEMORY.name]
    assert sides[1].context.duration >= max(at)
