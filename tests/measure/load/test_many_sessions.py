"""2,000 sessions from one machine: every figure against what the server itself did."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.load.campaign import measure
from ailoop_otel.measure.report.contents import Row, build_report
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.statistics.percentiles import PERCENTILES
from tests.measure.scripted_server import scripted

SESSIONS = 2000
SECONDS = os.environ.get("SOAK_SECONDS", "")
SETTINGS = (f"sessions={SESSIONS}", "rate=100", "opening=200", "warmup=0", f"duration={SECONDS}", "processes=2")


def agree(row: Row | None, truth: list[float]) -> None:
    """Each percentile is that of the server within 5 ms or 5 %, and the count the same."""
    assert row is not None
    assert (row.summary.n, row.summary.failures, row.summary.missing) == (len(truth), 0, 0)
    for name, percent in PERCENTILES.items():
        expected = float(np.percentile(truth, percent, method="inverted_cdf"))
        found = getattr(row.summary, name)
        assert found == pytest.approx(expected, rel=0.05, abs=0.005), (row.definition.name, name)


@pytest.mark.soak
@pytest.mark.skipif(not SECONDS, reason="takes a minute: SOAK_SECONDS=40 runs it")
def test_the_figures_of_2000_sessions_are_those_of_the_server(tmp_path: Path) -> None:
    """Sessions and messages are counted alike, and times differ by what the network takes."""
    truth = tmp_path / "truth.json"
    with scripted(first=0.8, spread=0.3, chunks=4, gap=0.1, truth=str(truth)) as server:
        run = measure(scenario.load("mixed", SETTINGS, ["Say hello."]), server.url, pid=server.pid)
    served = json.loads(truth.read_text())
    report = build_report(run)
    first, whole = zip(*served["answers"], strict=True)
    agree(report.row(definitions.FIRST_CHUNK), list(first))
    agree(report.row(definitions.COMPLETION), list(whole))
    assert report.failed == 0
    started = report.row(definitions.SESSION_START)
    assert started is not None
    assert started.summary.n == served["sessions"] == SESSIONS
    connected = report.row(definitions.SESSIONS)
    assert connected is not None
    assert connected.summary.max == SESSIONS
    rate = report.row(definitions.RATE)
    assert rate is not None
    assert rate.summary.mean == pytest.approx(len(first) / run.context.duration, rel=0.05)
