"""Metrics of a server that nobody talks to: collected each minute, though each few seconds while somebody does.

A collection costs a third of an exchange, and the files it is written to fill up with what did not change.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader

from ailoop_otel import names
from ailoop_otel.recording.fast.histograms import HistogramStore

QUIET: Final = 60.0  # seconds between two collections while nothing is measured


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
