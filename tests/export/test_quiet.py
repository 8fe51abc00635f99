"""A server that nobody talks to collects its metrics each minute, and keeps what readers need."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource

from ailoop_otel import names
from ailoop_otel.export import providers
from ailoop_otel.export.delivery import CountingMetricExporter
from ailoop_otel.export.exporters import Shared
from ailoop_otel.export.files import RotatingMetricExporter
from ailoop_otel.export.ledger import Ledger
from ailoop_otel.export.quiet import QUIET, QuietReader
from ailoop_otel.guard import Guard
from ailoop_otel.process.metrics import ProcessMetrics
from ailoop_otel.recorded.otlp_json import METRICS
from ailoop_otel.recording.fast.histograms import HistogramStore, LightMeterProvider
from ailoop_otel.settings import Settings

INTERVAL = 10.0
DAY = 86_400.0


class Process:
    """A process with files; its clock moves when it is told to, and its reader collects when the clock says so."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000.0
        self.folder = folder
        self.store = HistogramStore()
        exporter = RotatingMetricExporter(str(folder), clock=lambda: self.now)
        light = CountingMetricExporter(exporter, Ledger(), self.store)
        self.reader = QuietReader(light, math.inf, self.store, clock=lambda: self.now)
        self.provider = LightMeterProvider(Resource({}), [self.reader], self.store)
        meter = self.provider.get_meter(names.SCOPE)
        for metric, callback in ProcessMetrics(Guard(strict=True), clock=lambda: self.now):
            getattr(meter, f"create_{metric.kind}")(metric.name, callbacks=[callback])
        self.lag = self.store.histogram(names.METRIC_LOOP_LAG)
        self.duration = self.store.histogram(names.METRIC_EXCHANGE_DURATION)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(int(seconds / INTERVAL)):
            self.now += INTERVAL
            self.lag.record(0.001)
            self.reader.collect()

    def size(self) -> int:
        """Bytes that were written."""
        return sum(path.stat().st_size for path in self.folder.glob("*.jsonl"))

    def lines(self) -> int:
        """Collections that were written."""
        return sum(path.read_text().count("\n") for path in self.folder.glob("*.jsonl"))


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """A process that has just started."""
    made = Process(tmp_path)
    yield made
    made.provider.shutdown()


def test_while_nothing_is_measured_it_collects_each_minute(process: Process) -> None:
    """The first time at once; the event loop's lag does not count, as it is measured all the time."""
    process.wait(INTERVAL)
    assert process.lines() == 1
    process.wait(QUIET - INTERVAL)
    assert process.lines() == 1
    process.wait(INTERVAL)
    assert process.lines() == 2


def test_what_is_measured_is_collected_with_the_next_interval(process: Process) -> None:
    """And so is what is measured after that."""
    process.wait(QUIET)
    before = process.lines()
    for more in range(1, 4):
        process.duration.record(1.0)
        process.wait(INTERVAL)
        assert process.lines() == before + more
    process.wait(INTERVAL)
    assert process.lines() == before + 3


def test_a_flush_and_the_end_collect_always(process: Process) -> None:
    """Whoever flushes wants the values of now."""
    process.wait(INTERVAL)
    assert process.provider.force_flush()
    assert process.lines() == 2
    process.wait(INTERVAL)
    assert process.lines() == 2
    process.reader.shutdown()
    process.reader.collect()
    assert process.lines() == 2  # the file is closed


def test_a_day_on_which_nobody_talks_is_small(process: Process) -> None:
    """20 MB at most, with as many values as after a day on which somebody did."""
    for number in range(60):
        metric = replace(names.METRIC_EXCHANGE_DURATION, name=f"ailoop.some.duration.{number}")
        process.store.histogram(metric).record(0.5, {"ailoop.outcome": "ok", "rpc.method": "sendUserMessage"})
    process.wait(INTERVAL)
    assert process.size() > 18_700
    before, seconds = process.size(), 3_600
    process.wait(seconds)
    assert (process.size() - before) * DAY / seconds < 20e6


@pytest.mark.parametrize(("interval", "sparing"), [("", True), ("10000", False)])
def test_only_where_nobody_chose_an_interval(
    interval: str, sparing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for one gets it."""
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", interval)
    exporter = RotatingMetricExporter(str(tmp_path))
    made: list[MetricReader] = []

    class Noted(QuietReader):
        def __init__(self, *arguments: Any) -> None:
            made.append(self)
            super().__init__(*arguments)

    monkeypatch.setattr(providers, "QuietReader", Noted)
    provider, _ = providers.make(METRICS, [exporter], Resource({}), Shared(Settings(), Guard(strict=True)))
    provider.shutdown()
    assert bool(made) is sparing
