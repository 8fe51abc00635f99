"""Points of metrics: sums and gauges, cumulative or not, and what damaged lines hold."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from opentelemetry.exporter.otlp.json.file import FileMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from ailoop_otel import names
from ailoop_otel.recorded.files import ReadCounts, read
from ailoop_otel.recorded.records import Batch, parse, reader

MEMORY = names.METRIC_MEMORY_USAGE.name
READ = reader({MEMORY, names.METRIC_CPU_TIME.name})
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=4),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _line(metric: object, *, resource: object = None) -> bytes:
    scoped = {"resource": resource, "scopeMetrics": [{"scope": {"name": "x"}, "metrics": [metric]}]}
    return json.dumps({"resourceMetrics": [scoped]}).encode() + b"\n"


def _point(**more: Any) -> dict[str, Any]:
    return {"startTimeUnixNano": "5", "timeUnixNano": "7", "asInt": "1024", **more}


def _gauge(*points: object, name: str = MEMORY) -> dict[str, Any]:
    return {"name": name, "gauge": {"dataPoints": list(points)}}


def _batch(line: bytes) -> Batch:
    batch = READ(line)
    assert batch is not None
    return batch


def test_a_point_keeps_value_times_labels_and_process() -> None:
    """All of one sum's point, and the resource of its process."""
    point = _point(asDouble=1.5, attributes=[{"key": "cpu.mode", "value": {"stringValue": "user"}}])
    del point["asInt"]
    metric = {"name": names.METRIC_CPU_TIME.name, "sum": {"dataPoints": [point], "aggregationTemporality": 1}}
    resource = {"attributes": [{"key": "service.instance.id", "value": {"stringValue": "one"}}]}
    (read_back,) = _batch(_line(metric, resource=resource)).points
    assert (read_back.metric, read_back.value, read_back.start, read_back.time) == ("process.cpu.time", 1.5, 5, 7)
    assert read_back.delta
    assert read_back.attributes == {"cpu.mode": "user"}
    assert read_back.resource == {"service.instance.id": "one"}


def test_only_what_is_wanted_is_read() -> None:
    """Another metric is left alone."""
    assert _batch(_line(_gauge(_point(), name="ailoop.exchange.active"))) == Batch()


def test_of_a_histogram_its_count_is_read() -> None:
    """How many were counted, whatever they add up to."""
    point = {"timeUnixNano": "7", "count": "12", "sum": 3.5, "bucketCounts": ["12"]}
    (read_back,) = _batch(_line({"name": MEMORY, "histogram": {"dataPoints": [point]}})).points
    assert read_back.value == 12


@pytest.mark.parametrize(
    "damage",
    [
        {"timeUnixNano": "0"},
        {"timeUnixNano": "x"},
        {"asInt": "much"},
        {"asInt": True},
        {"asInt": "9" * 400},
        {"asInt": "-1"},
    ],
)
def test_a_damaged_point_is_counted(damage: dict[str, Any]) -> None:
    """Points without a time or a finite number are damage; the others of the line are read."""
    batch = _batch(_line(_gauge(_point(**damage), _point())))
    assert (len(batch.points), batch.damaged) == (1, 1)


@pytest.mark.parametrize("number", ["NaN", "Infinity", None])
def test_no_number_is_no_value(number: object) -> None:
    """What OTLP calls a double and is no finite number is damage."""
    point = {"timeUnixNano": "7", "asDouble": number}
    assert _batch(_line(_gauge(point))).damaged == 1


def test_spans_are_read_as_before() -> None:
    """A line of spans gives what `parse` gives."""
    span = {"traceId": "aa", "spanId": "bb", "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    line = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    assert READ(line) == parse(line)
    assert _batch(line).spans


def test_a_torn_line_is_reported_and_what_follows_it_is_read(tmp_path: Path) -> None:
    """A writer was killed in mid-line, another went on; the last line is still being written."""
    whole = _line(_gauge(_point()))
    path = tmp_path / "metrics-1.jsonl"
    path.write_bytes(whole[:40] + whole + whole + whole[:-20])
    counts = ReadCounts()
    points = [point for batch in read([path], counts, parser=READ) for point in batch.points]
    assert len(points) == 2
    assert (counts.skipped, counts.half_written) == (1, [path.name])


def test_what_the_embedded_default_writes_is_read(tmp_path: Path) -> None:
    """A gauge and a counter through the official exporter."""
    path = tmp_path / "metrics-1.jsonl"
    metrics = PeriodicExportingMetricReader(FileMetricExporter(path), export_interval_millis=math.inf)
    provider = MeterProvider([metrics], shutdown_on_exit=False)
    meter = provider.get_meter(names.SCOPE)
    meter.create_observable_up_down_counter(MEMORY, [lambda options: [Observation(2048)]])
    meter.create_counter(names.METRIC_CPU_TIME.name).add(0.25, {"cpu.mode": "user"})
    provider.force_flush()
    provider.shutdown()
    points = {point.metric: point for batch in read([path], ReadCounts(), parser=READ) for point in batch.points}
    assert points[MEMORY].value == 2048
    assert points["process.cpu.time"].value == 0.25
    assert points["process.cpu.time"].attributes == {"cpu.mode": "user"}
    assert points["process.cpu.time"].resource["telemetry.sdk.language"] == "python"


@given(some.binary(max_size=60))
def test_noise_raises_nothing(noise: bytes) -> None:
    """Any bytes, and the same behind a beginning of ours."""
    READ(noise)
    READ(b'{"resourceMetrics":' + noise)


@settings(max_examples=30)
@given(VALUES)
def test_a_strange_metric_raises_nothing(strange: object) -> None:
    """Any JSON in any place of the format."""
    for metric in (strange, {"name": MEMORY, "gauge": strange}, _gauge(strange), _gauge(_point(asInt=strange))):
        assert READ(_line(metric, resource=strange)) is not None
