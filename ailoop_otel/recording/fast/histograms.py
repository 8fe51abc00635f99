"""Histograms at a tenth of the SDK's price, for a meter provider of this package.

The SDK aggregates each measurement when it is made, under three locks, and looks for its span. Here it is only
enqueued, and aggregated with others, while that code is warm. The result is what the SDK makes:
https://opentelemetry.io/docs/specs/otel/metrics/sdk/#explicit-bucket-histogram-aggregation, with the latest sampled
measurement of each bucket as its exemplar.
"""

from __future__ import annotations

import sys
import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import time_ns
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.environment_variables import OTEL_METRICS_EXEMPLAR_FILTER
from opentelemetry.sdk.metrics import Exemplar, Histogram
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricReader,
    MetricsData,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.metrics.view import DefaultAggregation, ExplicitBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanContext, TraceFlags

from ailoop_otel import names
from ailoop_otel.fork import begin
from ailoop_otel.recording.fast.spans import span_context_in
from ailoop_otel.recording.internals import flags_of, metric_preferences
from ailoop_otel.settings import environment

# How many measurements may wait; the next call to `record` aggregates them all, half a millisecond of work.
_MOST_WAITING: Final = 256
# The SDK's limit of attribute sets, and what stands for those beyond it.
_MOST_POINTS: Final = 2000
_BEYOND: Final = {"otel.metric.overflow": True}
_BEYOND_KEY: Final = frozenset([("otel.metric.overflow", True, bool)])
_MOST: Final = sys.float_info.max
_Amount = float | tuple[float, ...]
_Key = frozenset[tuple[str, Any, type]]
_NO_LABELS: Final[Mapping[str, Any]] = {}
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE


class LightHistogram:
    """One metric's points, by their attributes."""

    __slots__ = ("_bounds", "_points", "_waiting", "count", "metric")

    def __init__(self, metric: names.Metric, store: HistogramStore) -> None:
        self.metric = metric
        self._bounds = tuple(metric.buckets or ())
        self._points: dict[_Key, _Point] = {}
        self._waiting = store.waiting
        self.count = store.count

    def record(
        self, amount: float, attributes: Mapping[str, Any] | None = None, context: Context | None = None
    ) -> None:
        """Record a value; the span in `context`, if it is sampled, is its exemplar. `attributes` are not copied."""
        span = None if context is None else span_context_in(context)
        waiting = self._waiting
        waiting.append((self, amount, attributes or _NO_LABELS, span, time_ns()))
        if len(waiting) > _MOST_WAITING:
            self.count()

    def record_all(self, amounts: Sequence[float], attributes: Mapping[str, Any], context: Context) -> None:
        """As `record`, many values at once."""
        self._waiting.append((self, tuple(amounts), attributes, span_context_in(context), time_ns()))

    def add(
        self, number: int, amount: float, attributes: Mapping[str, Any], span: SpanContext | None, time: int
    ) -> None:
        """Count a value that was recorded at `time`, nanoseconds since the epoch, and is the `number`th of all."""
        # As the SDK: what is negative, no number, or without end would stay in the sum for ever.
        if not 0 <= amount <= _MOST:
            return
        point = self._point(attributes, time)
        bucket = bisect_left(self._bounds, amount)
        point.counts[bucket] += 1
        point.total += amount
        if amount < point.least:
            point.least = amount
        if amount > point.most:
            point.most = amount
        if span is not None and flags_of(span) & TraceFlags.SAMPLED:
            point.exemplars[bucket] = (number, amount, time, span)

    def add_all(
        self, number: int, amounts: Sequence[float], attributes: Mapping[str, Any], span: SpanContext | None, time: int
    ) -> None:
        """As `add`, many values; the largest of each bucket is its exemplar."""
        values = sorted(amount for amount in amounts if 0 <= amount <= _MOST)
        if not values:
            return
        point = self._point(attributes, time)
        point.total += sum(values)
        point.least, point.most = min(point.least, values[0]), max(point.most, values[-1])
        sampled = span is not None and flags_of(span) & TraceFlags.SAMPLED
        below = 0
        for bucket, bound in enumerate((*self._bounds, _MOST)):
            up_to = bisect_right(values, bound, below)
            if up_to > below:
                point.counts[bucket] += up_to - below
                if span is not None and sampled:
                    point.exemplars[bucket] = (number, values[up_to - 1], time, span)
                below = up_to

    @property
    def counted(self) -> int:
        """How many values there are so far."""
        return sum(sum(point.counts) for point in list(self._points.values()))

    def clear(self) -> None:
        """Forget all points."""
        self._points.clear()

    def data(self, now: int, since: int) -> Metric | None:
        """All points so far, with the exemplars after the `since`th record; None where nothing was recorded."""
        metric = self.metric
        points = [point.data(self._bounds, now, since) for point in self._points.values()]
        kind = HistogramData(points, AggregationTemporality.CUMULATIVE)
        return Metric(metric.name, metric.description, metric.unit, kind) if points else None

    def _point(self, attributes: Mapping[str, Any], time: int) -> _Point:
        # With the types: `True`, `1` and `1.0` are equal in Python, and three values in OpenTelemetry.
        key = frozenset([(name, value, value.__class__) for name, value in attributes.items()])
        return self._points.get(key) or self._new(key, attributes, time)

    def _new(self, key: _Key, attributes: Mapping[str, Any], time: int) -> _Point:
        if len(self._points) >= _MOST_POINTS:
            key, attributes = _BEYOND_KEY, _BEYOND
        return self._points.setdefault(key, _Point(dict(attributes), len(self._bounds) + 1, time))


class _Point:
    """One set of attributes."""

    __slots__ = ("attributes", "counts", "exemplars", "least", "most", "start", "total")

    def __init__(self, attributes: dict[str, Any], buckets: int, start: int) -> None:
        self.attributes = attributes
        self.counts = [0] * buckets
        self.total: float = 0
        self.least = float("inf")
        self.most = float("-inf")
        self.start = start
        self.exemplars: dict[int, tuple[int, float, int, SpanContext]] = {}

    def data(self, bounds: Sequence[float], now: int, since: int) -> HistogramDataPoint:
        exemplars = [
            Exemplar({}, amount, time, span.span_id, span.trace_id)
            for _, (number, amount, time, span) in sorted(self.exemplars.items())
            if number > since
        ]
        return HistogramDataPoint(
            self.attributes, self.start, now, sum(self.counts), self.total, tuple(self.counts), bounds, self.least,
            self.most, exemplars,
        )  # fmt: skip


class HistogramStore:
    """All light histograms of a meter provider, and the measurements that wait to be aggregated."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[LightHistogram, _Amount, Mapping[str, Any], SpanContext | None, int]] = deque()
        self._histograms: dict[str, LightHistogram] = {}
        self._counted = 0
        begin(self._begin)

    def histogram(self, metric: names.Metric) -> LightHistogram:
        """The histogram of a metric."""
        return self._histograms.setdefault(metric.name, LightHistogram(metric, self))

    def count(self) -> None:
        """Aggregate what waits, unless another thread is doing it."""
        if self._lock.acquire(blocking=False):
            try:
                self._count()
            finally:
                self._lock.release()

    def recorded(self, *, besides: names.Metric) -> int:
        """How many measurements there are so far, but for those of one metric."""
        self.count()
        return self._counted - self.histogram(besides).counted

    def data(self, since: int) -> tuple[list[Metric], int]:
        """All metrics, with the exemplars after the `since`th measurement, and how many measurements there are now."""
        with self._lock:
            self._count()
            now = time_ns()
            found = (histogram.data(now, since) for histogram in self._histograms.values())
            return [metric for metric in found if metric is not None], self._counted

    def added_to(self, collected: MetricsData, since: int) -> tuple[MetricsData, int]:
        """As `data`, with the metrics in the scope of this package, among what the SDK has collected."""
        metrics, counted = self.data(since)
        if not metrics or not collected.resource_metrics:
            return collected, counted
        first, *others = collected.resource_metrics
        scopes = [
            replace(scope, metrics=[*scope.metrics, *metrics]) if scope.scope.name == names.SCOPE else scope
            for scope in first.scope_metrics
        ]
        return replace(collected, resource_metrics=[replace(first, scope_metrics=scopes), *others]), counted

    def _count(self) -> None:
        waiting = self.waiting
        # Not more than there are now: other threads go on recording.
        for _ in range(len(waiting)):
            histogram, amount, attributes, span, time = waiting.popleft()
            if isinstance(amount, tuple):
                self._counted += len(amount)
                histogram.add_all(self._counted, amount, attributes, span, time)
            else:
                self._counted += 1
                histogram.add(self._counted, amount, attributes, span, time)

    def _begin(self) -> None:
        # In a forked child all measurements are the parent's, and the thread that holds the lock does not exist.
        self._lock = threading.Lock()
        self.waiting.clear()
        for histogram in self._histograms.values():
            histogram.clear()


class LightMeterProvider(SdkMeterProvider):
    """The SDK's provider, with a store whose histograms its exporters add to each collection."""

    def __init__(self, resource: Resource, readers: Sequence[MetricReader], store: HistogramStore) -> None:
        super().__init__(metric_readers=readers, resource=resource, shutdown_on_exit=False)
        self.store = store


def store_of(meters: MeterProvider) -> HistogramStore | None:
    """Where this package's histograms are made; None where the SDK makes them."""
    return meters.store if isinstance(meters, LightMeterProvider) else None


def fits(exporters: Sequence[Any]) -> bool:
    """Whether all exporters want what a store has: cumulative histograms with the buckets that they come with."""
    return (environment(OTEL_METRICS_EXEMPLAR_FILTER) or "trace_based") == "trace_based" and all(
        isinstance(exporter, MetricExporter) and _fits(exporter) for exporter in exporters
    )


def _fits(exporter: MetricExporter) -> bool:
    preferences = metric_preferences(exporter)
    if preferences is None:
        return False
    temporality, aggregation = preferences[0].get(Histogram), preferences[1].get(Histogram)
    return temporality in (None, _CUMULATIVE) and isinstance(
        aggregation, ExplicitBucketHistogramAggregation | DefaultAggregation | None
    )
