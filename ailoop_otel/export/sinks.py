"""The SDK's exporters over a sink, which takes the batches of one signal: a file, a courier, another exporter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ailoop_otel.recording.internals import LogRecordExporter, metric_preferences, sdk_logs_export


class Sink(Protocol):
    """Takes batches."""

    def take(self, batch: Any, count: int) -> bool:
        """Take a batch of `count` records; returns whether it could be taken."""

    def settle(self, timeout: float) -> bool:
        """Wait for what is on its way, `timeout` seconds at most; returns whether nothing is."""

    def stop(self) -> None:
        """Take no more."""


class _OverSink:
    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """Wait for what is on its way."""
        return self.sink.settle(timeout_millis / 1e3)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Take no more."""
        self.sink.stop()


class SpanSink(_OverSink, SpanExporter):
    """Exports spans."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch."""
        return SpanExportResult.SUCCESS if self.sink.take(spans, len(spans)) else SpanExportResult.FAILURE


class MetricSink(_OverSink, MetricExporter):
    """Exports metrics; temporality and aggregation are those that another exporter prefers.

    Without one they are the official exporter's, which `OTEL_EXPORTER_OTLP_METRICS_*` decide.
    """

    def __init__(self, sink: Sink, like: MetricExporter | None = None) -> None:
        if like is None:
            # Only here: where its package is missing, the other signals have their exporters.
            from opentelemetry.exporter.otlp.json.file import FileMetricExporter

            like = FileMetricExporter()
        temporality, aggregation = metric_preferences(like) or ({}, {})
        MetricExporter.__init__(self, preferred_temporality=temporality, preferred_aggregation=aggregation)
        super().__init__(sink)

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Export a collection."""
        taken = self.sink.take(metrics_data, data_points(metrics_data))
        return MetricExportResult.SUCCESS if taken else MetricExportResult.FAILURE


class LogSink(_OverSink, LogRecordExporter):  # type: ignore[misc]
    """Exports log records; raises ImportError where OpenTelemetry has no logs."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self._results = sdk_logs_export().LogRecordExportResult

    def export(self, batch: Sequence[Any]) -> Any:
        """Export a batch."""
        return self._results.SUCCESS if self.sink.take(batch, len(batch)) else self._results.FAILURE


def data_points(metrics_data: MetricsData) -> int:
    """How many data points a collection has."""
    return sum(
        len(metric.data.data_points)
        for resource in metrics_data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
