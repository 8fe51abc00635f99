"""Jaeger's Monitor tab: numbers within a minute of a service's first message, by JSON-RPC method, errors included."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pytest

from ailoop_otel import names
from tests.stack.backends import Jaeger, eventually
from tests.stack.watched import NEWCOMER, WATCHED, First

SOON = 60.0  # seconds
METHOD = "sendUserMessage"
# What the tab asks for, with a step short enough to see when numbers came.
ASKED = {
    "groupByOperation": "true",
    "spanKind": "server",
    "ratePer": "600000",
    "lookback": "3600000",
    "step": "1000",
}
# By operation: time (s since the epoch) and value of each point that is a number.
Monitor = dict[str, list[tuple[float, float]]]


def shown(traces: Jaeger, service: str, what: str, **more: str) -> Monitor:
    """What the tab draws of one figure of a service."""
    answer = traces.get(f"/api/metrics/{what}", service=service, **ASKED, **more)
    found = {_operation(each): _points(each) for each in answer["metrics"]}
    return {operation: points for operation, points in found.items() if points}


def _operation(metric: dict[str, Any]) -> str:
    return next(label["value"] for label in metric["labels"] if label["name"] == "operation")


def _points(metric: dict[str, Any]) -> list[tuple[float, float]]:
    points = [(each["timestamp"], float(each["gaugeValue"]["doubleValue"])) for each in metric["metricPoints"]]
    # Python 3.10 reads neither a Z nor nanoseconds.
    return [
        (datetime.fromisoformat(f"{at[:19]}+00:00").timestamp(), value) for at, value in points if math.isfinite(value)
    ]


def drawn(points: list[tuple[float, float]] | None) -> list[tuple[float, float]]:
    """The points at which there is something to see."""
    return [point for point in points or () if point[1] > 0]


def test_a_first_message_shows_within_a_minute(newcomer: First, traces: Jaeger) -> None:
    """One message, not two: how many and how long, each under its method's name, and no errors."""

    def now(what: str, **more: str) -> Monitor:
        return shown(traces, NEWCOMER, what, **more)

    calls = eventually(lambda: now("calls"), lambda found: drawn(found.get(METHOD)), SOON)
    times = eventually(lambda: now("latencies", quantile="0.95"), lambda found: found.get(METHOD), SOON)
    assert set(calls) == set(times) == {"startSession", METHOD}
    for points in (drawn(calls[METHOD]), times[METHOD]):
        assert points[0][0] - newcomer.said < SOON
    # The bounds of the bucket that it fell into: 250 to 500 ms, if nothing was in its way.
    assert 250 <= times[METHOD][-1][1] <= 2.5 * 1000 * newcomer.took
    assert not any(drawn(points) for points in now("errors").values())


@pytest.mark.usefixtures("busy")
def test_errors_are_those_that_the_server_hides(traces: Jaeger) -> None:
    """Four of eight messages, of which the client hears that all is well; and a method that nobody knows."""

    def told(found: Monitor) -> bool:
        seen = {operation for operation, points in found.items() if drawn(points)}
        return METHOD in seen and names.OTHER in seen and found[METHOD][-1][1] == pytest.approx(4 / 8, abs=0.05)

    errors = eventually(lambda: shown(traces, WATCHED, "errors"), told, SOON)
    assert {operation for operation, points in errors.items() if drawn(points)} == {METHOD, names.OTHER}
