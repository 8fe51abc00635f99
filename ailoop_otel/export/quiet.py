"""Metrics of a server that nobody talks to: collected each minute, and written where they changed.

A collection costs a third of an exchange, and the files it is written to would fill up with repetitions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Metric,
    MetricExporter,
    MetricsData,
    PeriodicExportingMetricReader,
)

from ailoop_otel import names
from ailoop_otel.recording.fast.histograms import HistogramStore

QUIET: Final = 60.0  # seconds between two collections while nothing is measured
COMPLETE: Final = 240.0  # seconds between two complete collections

# What readers take as samples: in each collection that is written.
_SAMPLES: Final = frozenset(
    metric.name for metric in (names.METRIC_MEMORY_USAGE, names.METRIC_CPU_TIME, names.METRIC_SESSION_ACTIVE)
)
_Key = tuple[int, int, str]


class QuietReader(PeriodicExportingMetricReader):
    """Collects each `interval` milliseconds while a `store` gets measurements, each `QUIET` seconds while none come.

    The lag of the event loop does not count: it is measured all the time. A flush and the shutdown always collect.
    """

    def __init__(
        self,
        exporter: MetricExporter,
        interval: float,
        store: HistogramStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._is_asked = False
        self._recorded = -1
        self._next = 0.0
        super().__init__(exporter, interval)

    # The SDK's thread calls it each interval. Should another release not do so, all collections are made.
    def collect(self, timeout_millis: float = 10_000) -> None:  # type: ignore[misc]  # is final
        """Collect and export, unless nothing was measured."""
        now, recorded = self._clock(), self._store.recorded(besides=names.METRIC_LOOP_LAG)
        if self._is_asked or recorded != self._recorded or now >= self._next:
            self._recorded, self._next = recorded, now + QUIET
            super().collect(timeout_millis)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect and export in any case."""
        self._is_asked = True
        try:
            return super().force_flush(timeout_millis)
        finally:
            self._is_asked = False

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Collect and export a last time."""
        self._is_asked = True
        super().shutdown(timeout_millis, **kwargs)


class Changes:
    """What of each collection is to be written; times are seconds of any one clock.

    All values are cumulative, so that one which is not written is what it was. Everything is written again from time to
    time, for readers that look at a part of a recording, and for backends that forget what is not repeated: Prometheus
    does after five minutes (https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness).
    """

    def __init__(self) -> None:
        self._written: dict[_Key, Metric] = {}
        self._completed = float("-inf")

    def since_last(self, collected: MetricsData, now: float) -> MetricsData:
        """The part of a collection that is to be written now."""
        if not 0 <= now - self._completed < COMPLETE:
            return self.all_of(collected, now)
        changed = {key for key, metric in _metrics(collected) if not _same(metric, self._written.get(key))}
        kept = {key: metric for key, metric in _metrics(collected) if key in changed or key[2] in _SAMPLES}
        self._written.update(kept)
        return _only(collected, kept)

    def all_of(self, collected: MetricsData, now: float) -> MetricsData:
        """The whole collection, to be written now."""
        self._written = dict(_metrics(collected))
        self._completed = now
        return collected

    def forget(self) -> None:
        """What was returned last could not be written: the next is the whole."""
        self._completed = float("-inf")


def _metrics(collected: MetricsData) -> Iterator[tuple[_Key, Metric]]:
    for i, resource in enumerate(collected.resource_metrics):
        for j, scope in enumerate(resource.scope_metrics):
            for metric in scope.metrics:
                yield (i, j, metric.name), metric


def _only(collected: MetricsData, kept: dict[_Key, Metric]) -> MetricsData:
    resources = []
    for i, resource in enumerate(collected.resource_metrics):
        scopes = [
            replace(scope, metrics=metrics)
            for j, scope in enumerate(resource.scope_metrics)
            if (metrics := [metric for metric in scope.metrics if (i, j, metric.name) in kept])
        ]
        if scopes:
            resources.append(replace(resource, scope_metrics=scopes))
    return replace(collected, resource_metrics=resources)


def _same(metric: Metric, before: Metric | None) -> bool:
    if before is None or getattr(metric.data, "aggregation_temporality", None) is AggregationTemporality.DELTA:
        return False
    return _values(metric) == _values(before)


def _values(metric: Metric) -> list[tuple[Any, ...]]:
    # Of a histogram its count: without a new value no bucket changes.
    return [
        (
            point.attributes,
            getattr(point, "start_time_unix_nano", None),
            point.count if hasattr(point, "count") else point.value,
        )
        for point in metric.data.data_points
    ]
