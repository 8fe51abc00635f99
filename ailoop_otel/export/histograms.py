"""Exports the histograms that the SDK does not count together with what it does count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.sdk.environment_variables import OTEL_METRICS_EXEMPLAR_FILTER
from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.view import DefaultAggregation, ExplicitBucketHistogramAggregation

from ailoop_otel import names
from ailoop_otel.recording.histograms import Sheet
from ailoop_otel.settings import environment

_EXPLICIT = (ExplicitBucketHistogramAggregation, DefaultAggregation, type(None))


def fits(exporters: Sequence[Any]) -> bool:
    """Whether all exporters want what a sheet has: cumulative histograms with the buckets that they come with."""
    return (environment(OTEL_METRICS_EXEMPLAR_FILTER) or "trace_based") == "trace_based" and all(
        isinstance(exporter, MetricExporter)
        and _preferred(exporter, "temporality") in (None, AggregationTemporality.CUMULATIVE)
        and isinstance(
            _preferred(exporter, "aggregation"), ExplicitBucketHistogramAggregation | DefaultAggregation | None
        )
        for exporter in exporters
    )


def _preferred(exporter: MetricExporter, what: str) -> Any:
    # Private, but what the SDK's own reader looks at.
    return (getattr(exporter, f"_preferred_{what}", None) or {}).get(Histogram)


class SheetExporter(MetricExporter):
    """Adds a sheet's histograms to each collection, and passes it on to another exporter."""

    def __init__(self, exporter: MetricExporter, sheet: Sheet) -> None:
        super().__init__(
            preferred_temporality=getattr(exporter, "_preferred_temporality", None),
            preferred_aggregation=getattr(exporter, "_preferred_aggregation", None),
        )
        self._exporter = exporter
        self._sheet = sheet
        self._told = 0

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Export both."""
        metrics, self._told = self._sheet.data(self._told)
        return self._exporter.export(_with(metrics_data, metrics), timeout_millis, **kwargs)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Flush the other."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Shut the other down."""
        self._exporter.shutdown(timeout_millis, **kwargs)


def _with(collected: MetricsData, metrics: list[Metric]) -> MetricsData:
    """What was collected, and those metrics in the scope of this package."""
    if not metrics or not collected.resource_metrics:
        return collected
    first, *others = collected.resource_metrics
    scopes = [_joined(scope, metrics) if scope.scope.name == names.SCOPE else scope for scope in first.scope_metrics]
    return replace(collected, resource_metrics=[replace(first, scope_metrics=scopes), *others])


def _joined(scope: ScopeMetrics, metrics: list[Metric]) -> ScopeMetrics:
    return replace(scope, metrics=[*scope.metrics, *metrics])
