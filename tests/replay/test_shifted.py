"""An old recording with the times of now."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ailoop_otel.recorded.otlp_json import METRICS
from ailoop_otel.replay.delivery import Answer
from ailoop_otel.replay.export_request import ExportRequest, parse
from ailoop_otel.replay.shifted import Shifted, pace_of
from ailoop_otel.settings import UsageError

SECOND = 1_000_000_000
OLD, NOW = 1_600_000_000 * SECOND, 1_900_000_000 * SECOND
Json = dict[str, Any]


class Clock:
    """A clock that sleeping moves on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        """Nanoseconds since 1970."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += round(seconds * SECOND)


def _span(trace: int, begin: float, end: float) -> Json:
    times = {"startTimeUnixNano": str(OLD + int(begin * SECOND)), "endTimeUnixNano": str(OLD + int(end * SECOND))}
    return {"traceId": f"{trace:032x}", "spanId": f"{trace:016x}", "name": "x", **times}


def _line(*spans: Json) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def _sent(pace: float, *lines: bytes) -> list[tuple[float, list[Json]]]:
    """When each line was sent, in seconds from now, and its records."""
    sent = []
    clock = Clock()

    def send(request: ExportRequest) -> Answer:
        records = [record for _, record in request.signal.records(json.loads(request.content))]
        sent.append(((clock() - NOW) / SECOND, records))
        return Answer(accepted=True)

    shifted = Shifted(send, pace, clock, clock.sleep)
    for line in lines:
        request = parse(line)
        assert request is not None
        shifted.send(request)
    return sent


def _times(record: Json) -> tuple[float, float]:
    return tuple((int(record[name]) - NOW) / SECOND for name in ("startTimeUnixNano", "endTimeUnixNano"))  # type: ignore[return-value]


def test_each_line_is_sent_when_its_last_record_ends() -> None:
    """The first record begins now."""
    sent = _sent(1.0, _line(_span(1, 0, 2)), _line(_span(2, 10, 11)))
    assert [when for when, _ in sent] == [2, 11]
    assert [_times(records[0]) for _, records in sent] == [(0, 2), (10, 11)]


def test_a_pace_moves_traces_together_and_keeps_durations() -> None:
    """Twice as fast: traces come in half the time, and each lasts as long as it did."""
    sent = _sent(2.0, _line(_span(1, 0, 2)), _line(_span(2, 11, 12), _span(2, 10, 14)))
    assert [_times(record) for _, records in sent for record in records] == [(0, 2), (5.5, 6.5), (4.5, 8.5)]
    assert [when for when, _ in sent] == [2, 8.5]


def test_metrics_are_moved_point_by_point() -> None:
    """Their beginning too, alike in all lines, so that a counter goes on."""

    def line(at: float) -> bytes:
        point = {"startTimeUnixNano": str(OLD), "timeUnixNano": str(OLD + int(at * SECOND)), "asInt": "1"}
        metric = {"name": "m", "sum": {"dataPoints": [point]}}
        return json.dumps({METRICS.members[0]: [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()

    sent = _sent(2.0, line(60), line(120))
    points = [records[0]["sum"]["dataPoints"][0] for _, records in sent]
    assert [int(point["startTimeUnixNano"]) for point in points] == [NOW] * 2
    assert [when for when, _ in sent] == [30, 60]


@pytest.mark.parametrize("times", [{}, {"startTimeUnixNano": []}, {"startTimeUnixNano": "0", "events": [7, {}]}])
def test_what_has_no_times_is_sent_at_once(times: Json) -> None:
    """Whatever stands in a line."""
    ((when, _),) = _sent(1.0, _line({"name": "x", **times}))
    assert when == 0


@pytest.mark.parametrize(
    ("shift", "pace", "expected"), [("", "", 0), ("now", "", 1), ("now", "2x", 2), ("now", "0.5", 0.5)]
)
def test_the_pace_is_read(shift: str, pace: str, expected: float) -> None:
    """With and without the sign."""
    assert pace_of(shift, pace) == expected


@pytest.mark.parametrize(
    ("shift", "pace"), [("", "2x"), ("yesterday", ""), ("now", "0x"), ("now", "fast"), ("now", "1e9x")]
)
def test_what_makes_no_sense_is_one_line(shift: str, pace: str) -> None:
    """The message names what can be said."""
    with pytest.raises(UsageError):
        pace_of(shift, pace)
