"""Metrics that did not change are not written again, and nothing of what readers find is lost by that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    MetricExportResult,
    MetricsData,
)

from ailoop_otel import names
from ailoop_otel.export.files import RotatingMetricExporter
from ailoop_otel.export.quiet import COMPLETE

MEMORY = names.METRIC_MEMORY_USAGE.name
INTERVAL = 10.0


class Process:
    """Instruments of a process, and what its exporter writes; its clock moves when it is told to."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.now = 1_000.0
        self.folder = folder
        self.reader = InMemoryMetricReader(options.pop("temporality", None))
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.meter = self.provider.get_meter("test")
        self.counter = self.meter.create_counter("messages")
        self.histogram = self.meter.create_histogram("seconds")
        self.memory = 1_000
        self.meter.create_observable_up_down_counter(MEMORY, [self._observe])
        self.exporter = RotatingMetricExporter(str(folder), clock=lambda: self.now, **options)

    def _observe(self, options: CallbackOptions) -> Iterator[Observation]:
        yield Observation(self.memory)

    def collect(self, after: float = INTERVAL) -> MetricExportResult:
        """Let time pass and export once."""
        self.now += after
        data = self.reader.get_metrics_data()
        assert isinstance(data, MetricsData)
        return self.exporter.export(data)

    def files(self) -> list[list[list[str]]]:
        """The names of metrics, by file and line."""
        return [
            [sorted(metric["name"] for metric in _metrics(line)) for line in path.read_text().splitlines()]
            for path in sorted(self.folder.glob("*.jsonl"), key=lambda path: int(path.stem.split("-")[-1]))
        ]

    def lines(self) -> list[list[str]]:
        """The same of all files."""
        return [line for file in self.files() for line in file]


def _metrics(line: str) -> list[dict[str, Any]]:
    return [
        metric
        for resource in json.loads(line)["resourceMetrics"]
        for scope in resource["scopeMetrics"]
        for metric in scope["metrics"]
    ]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Make a process."""
    made: list[Process] = []

    def make(**options: Any) -> Process:
        made.append(Process(tmp_path, **options))
        return made[-1]

    yield make
    for process in made:
        process.exporter.shutdown()
        process.provider.shutdown()


def test_only_what_changed_is_written_again(start: Callable[..., Process]) -> None:
    """And what readers take as samples."""
    process = start()
    process.counter.add(1)
    process.histogram.record(1.0)
    process.collect()
    process.counter.add(1)
    process.collect()
    process.histogram.record(1.0)
    process.collect()
    process.counter.add(1, {"other": "label"})
    process.collect()
    assert process.lines() == [
        ["messages", MEMORY, "seconds"],
        ["messages", MEMORY],
        [MEMORY, "seconds"],
        ["messages", MEMORY],
    ]


def test_all_points_of_a_metric_go_together(start: Callable[..., Process]) -> None:
    """Readers add those of the same time."""
    process = start()
    for mode in ("user", "system"):
        process.counter.add(1, {"mode": mode})
    process.collect()
    process.counter.add(1, {"mode": "user"})
    process.collect()
    (path,) = process.folder.glob("*.jsonl")
    last = [metric for metric in _metrics(path.read_text().splitlines()[-1]) if metric["name"] == "messages"]
    assert sorted(point["asInt"] for point in last[0]["sum"]["dataPoints"]) == ["1", "2"]


def test_everything_from_time_to_time(start: Callable[..., Process]) -> None:
    """Also where the clock was put back."""
    process = start()
    process.counter.add(1)
    process.collect()
    process.collect(COMPLETE - 1)
    process.collect(1)
    process.collect(-500)
    everything = ["messages", MEMORY]
    assert process.lines() == [everything, [MEMORY], everything, everything]


def test_each_file_can_be_read_alone(start: Callable[..., Process]) -> None:
    """A file has everything, though it was opened for a line with a part."""
    process = start(max_file=0.01)
    for number in range(60):
        process.counter.add(1, {"number": number})
        process.histogram.record(1.0)
        process.collect(0.1)
    files = process.files()
    assert len(files) > 5
    everything = ["messages", MEMORY, "seconds"]
    assert all(everything in file[:2] for file in files)


def test_after_a_failure_everything(start: Callable[..., Process], tmp_path: Path) -> None:
    """What was not written is not taken for known."""
    process = start()
    process.counter.add(1)
    process.collect()
    process.counter.add(1)
    process.exporter.file.write = lambda line: False  # type: ignore[method-assign]
    assert process.collect() is MetricExportResult.FAILURE
    del process.exporter.file.write
    process.collect()
    assert process.lines() == [["messages", MEMORY]] * 2


def test_deltas_are_written_always(start: Callable[..., Process]) -> None:
    """Of two that are equal the second is news."""
    process = start(temporality={Counter: AggregationTemporality.DELTA})
    for _ in range(3):
        process.counter.add(1)
        process.collect()
    assert process.lines() == [["messages", MEMORY]] * 3
