"""How histograms are recorded: by the SDK, or at a tenth of its price where the meter provider is ours.

The SDK counts each measurement when it is made, under three locks, and looks for its span. Here it is only put down,
and counted later with others, while the code that counts is warm. What comes of it is what the SDK would make:
https://opentelemetry.io/docs/specs/otel/metrics/sdk/#explicit-bucket-histogram-aggregation, with the latest sampled
measurement of each bucket as its exemplar.
"""

from __future__ import annotations

import os
import threading
import weakref
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from time import time_ns
from typing import Any, Final, Protocol

from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    MetricReader,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanContext, TraceFlags

from ailoop_otel import names
from ailoop_otel.recording.lightspan import span_context_in

# So many may wait to be counted; then whoever makes the next one counts them all, half a millisecond of work.
_MOST_WAITING: Final = 256
# The SDK's limit of attribute sets, and what stands for those beyond it.
_MOST_POINTS: Final = 2000
_BEYOND: Final = {"otel.metric.overflow": True}
_ENDLESS: Final = 2.0**63
_NO_LABELS: Final[Mapping[str, Any]] = {}


class Instrument(Protocol):
    """What records a distribution."""

    def record(
        self, amount: float, attributes: Mapping[str, Any] | None = None, context: Context | None = None
    ) -> None:
        """Record a value; the span in `context` is its exemplar."""


class LightHistogram:
    """One metric's points, by their attributes."""

    __slots__ = ("_bounds", "_points", "_waiting", "count", "metric")

    def __init__(self, metric: names.Metric, sheet: Sheet) -> None:
        self.metric = metric
        self._bounds = tuple(metric.buckets or ())
        self._points: dict[frozenset[tuple[str, Any]], _Point] = {}
        self._waiting = sheet.waiting
        self.count = sheet.count

    def record(
        self, amount: float, attributes: Mapping[str, Any] | None = None, context: Context | None = None
    ) -> None:
        """Put a value down; the span in `context`, if it is sampled, is its exemplar. `attributes` are not copied."""
        span = None if context is None else span_context_in(context)
        waiting = self._waiting
        waiting.append((self, amount, attributes or _NO_LABELS, span, time_ns()))
        if len(waiting) > _MOST_WAITING:
            self.count()

    def add(
        self, number: int, amount: float, attributes: Mapping[str, Any], span: SpanContext | None, time: int
    ) -> None:
        """Count a value that was recorded at `time`, nanoseconds since the epoch, and is the `number`th of all."""
        # As the SDK: what is negative, no number, or beyond all numbers would stay in the sum for ever.
        if not 0 <= amount < _ENDLESS:
            return
        key = frozenset(attributes.items())
        point = self._points.get(key)
        if point is None:
            point = self._new(key, attributes, time)
        bucket = bisect_left(self._bounds, amount)
        point.counts[bucket] += 1
        point.total += amount
        if amount < point.least:
            point.least = amount
        if amount > point.most:
            point.most = amount
        # Its flags, of a tuple: asked for by name they cost as much as all the rest.
        if span is not None and span[3] & TraceFlags.SAMPLED:
            point.exemplars[bucket] = (number, amount, time, span)

    def data(self, now: int, since: int) -> Metric | None:
        """All points so far, with the exemplars after the `since`th record; None where nothing was recorded."""
        metric = self.metric
        points = [point.data(self._bounds, now, since) for point in self._points.values()]
        kind = HistogramData(points, AggregationTemporality.CUMULATIVE)
        return Metric(metric.name, metric.description, metric.unit, kind) if points else None

    def _new(self, key: frozenset[tuple[str, Any]], attributes: Mapping[str, Any], time: int) -> _Point:
        if len(self._points) >= _MOST_POINTS:
            key, attributes = frozenset(_BEYOND.items()), _BEYOND
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


class Sheet:
    """Where the measurements of all histograms are put down until somebody counts them."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[LightHistogram, float, Mapping[str, Any], SpanContext | None, int]] = deque()
        self._histograms: dict[str, LightHistogram] = {}
        self._counted = 0
        self._renew()
        if hasattr(os, "register_at_fork"):
            renew = weakref.WeakMethod(self._renew)
            os.register_at_fork(after_in_child=lambda: (again := renew()) and again())

    def histogram(self, metric: names.Metric) -> LightHistogram:
        """The histogram of a metric."""
        return self._histograms.setdefault(metric.name, LightHistogram(metric, self))

    def count(self) -> None:
        """Count what waits, unless somebody is at it."""
        if self._lock.acquire(blocking=False):
            try:
                self._count()
            finally:
                self._lock.release()

    def data(self, since: int) -> tuple[list[Metric], int]:
        """All metrics, with the exemplars after the `since`th record, and how many there are now."""
        with self._lock:
            self._count()
            now = time_ns()
            found = (histogram.data(now, since) for histogram in self._histograms.values())
            return [metric for metric in found if metric is not None], self._counted

    def _count(self) -> None:
        waiting = self.waiting
        # Not more than there are now: others go on recording.
        for _ in range(len(waiting)):
            histogram, amount, attributes, span, time = waiting.popleft()
            self._counted += 1
            histogram.add(self._counted, amount, attributes, span, time)

    def _renew(self) -> None:
        # In a forked child nobody would release it.
        self._lock = threading.Lock()


class LightMeterProvider(SdkMeterProvider):
    """The SDK's provider, with a sheet for this package's histograms where its readers are told of it."""

    def __init__(self, resource: Resource, readers: Sequence[MetricReader], sheet: Sheet | None) -> None:
        super().__init__(metric_readers=readers, resource=resource, shutdown_on_exit=False)
        self.sheet = sheet


def sheet_of(meters: MeterProvider) -> Sheet | None:
    """Where to put down what histograms record; None where the SDK counts it."""
    return meters.sheet if isinstance(meters, LightMeterProvider) else None
