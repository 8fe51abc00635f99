"""Histograms that the SDK does not count are exported beside those that it counts, to exporters that want them so."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import Counter, Histogram
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource

from ailoop_otel import names
from ailoop_otel.export import providers
from ailoop_otel.export.exporters import Shared
from ailoop_otel.guard import Guard
from ailoop_otel.recorded.otlp_json import METRICS
from ailoop_otel.recording.fast import histograms
from ailoop_otel.recording.fast.histograms import store_of
from ailoop_otel.settings import Settings


class Kept(MetricExporter):
    """Keeps what it is to export."""

    def __init__(self, **preferred: Any) -> None:
        super().__init__(**preferred)
        self.batches: list[MetricsData] = []
        self.ended = False

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Keep it."""
        self.batches.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing waits."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """The end."""
        self.ended = True


def test_both_are_in_one_scope() -> None:
    """One resource, one scope, whichever counted; those of other scopes stay as they are."""
    exporter = Kept()
    provider, _ = providers.make(METRICS, [exporter], Resource({"service.name": "both"}), Shared(Settings(), Guard()))
    store = store_of(provider)
    assert store is not None
    provider.get_meter(names.SCOPE).create_counter("counted").add(1)
    provider.get_meter("other").create_counter("others").add(1)
    store.histogram(names.METRIC_FIRST_CHUNK).record(0.2, {"x": "y"})
    provider.force_flush()
    (resource,) = exporter.batches[-1].resource_metrics
    found = {scope.scope.name: [metric.name for metric in scope.metrics] for scope in resource.scope_metrics}
    assert found == {names.SCOPE: ["counted", names.METRIC_FIRST_CHUNK.name], "other": ["others"]}
    provider.shutdown()
    assert exporter.ended


EXPLICIT = ExplicitBucketHistogramAggregation()
DELTA, CUMULATIVE = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE


@pytest.mark.parametrize(
    ("preferred", "fit"),
    [
        ({}, True),
        ({"preferred_temporality": {Histogram: CUMULATIVE, Counter: DELTA}}, True),
        ({"preferred_temporality": {Histogram: DELTA}}, False),
        ({"preferred_aggregation": {Histogram: EXPLICIT}}, True),
        ({"preferred_aggregation": {Histogram: ExponentialBucketHistogramAggregation()}}, False),
    ],
)
def test_an_exporter_that_wants_them_otherwise_gets_the_sdks(preferred: Any, fit: bool) -> None:
    """Deltas, or exponential buckets."""
    assert histograms.fits([Kept(**preferred)]) is fit
    assert histograms.fits([Kept(), Kept(**preferred)]) is fit


def test_a_reader_gets_the_sdks() -> None:
    """Prometheus's does not see what is exported."""
    provider, _ = providers.make(METRICS, [InMemoryMetricReader()], Resource({}), Shared(Settings(), Guard()))
    assert store_of(provider) is None


@pytest.mark.parametrize("chosen", ["always_on", "always_off"])
def test_exemplars_are_the_sdks_where_they_are_chosen_otherwise(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here they are those of sampled traces."""
    monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", chosen)
    assert not histograms.fits([Kept()])
