"""OTLP JSON Lines files that rotate: what is recorded where nothing else is set up, no collector needed.

The SDK finds these classes by their entry point `ailoop_json_files`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Final

from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

from ailoop_otel.export.encoders import line_encoder
from ailoop_otel.export.quiet import Changes
from ailoop_otel.export.rotation import Bounds, RotatingFile
from ailoop_otel.export.sinks import LogSink, MetricSink, SpanSink
from ailoop_otel.fork import begin
from ailoop_otel.guard import Guard
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES, Signal
from ailoop_otel.settings import Settings
from ailoop_otel.unpatched import time

# A logger of an exporter's, which `notices` quietens.
_log: Final = logging.getLogger(__name__)


class Lines:
    """Writes each batch of a signal as one line of a file."""

    def __init__(self, signal: Signal, file: RotatingFile, settings: Settings, guard: Guard) -> None:
        self._file = file
        self._encode = line_encoder(signal, settings, guard)
        self._signal = signal
        self._stopped = False
        # In a forked child a thread that did not come along may hold the lock.
        begin(self._begin)

    def take(self, batch: Any, count: int) -> bool:
        """Write a batch; returns whether it could be encoded and the file took its line."""
        if self._stopped:
            return False
        try:
            line = self._encode(batch)
        except Exception as fault:  # noqa: BLE001 - whatever a record may hold that an encoder does not know
            _log.warning("%s cannot be encoded (%s)", self._signal.name, type(fault).__name__)
            return False
        with self._lock:
            return not line or self._file.write(line)

    def settle(self, timeout: float) -> bool:
        """Nothing is on its way: every line went to the kernel at once."""
        return True

    def stop(self) -> None:
        """Close the file."""
        self._stopped = True
        self._file.close()

    def _begin(self) -> None:
        self._lock = threading.Lock()


class _Rotating:
    """What the three exporters have in common.

    Sizes are in megabytes and the age in hours, each from the settings where it is not given; those are the
    environment's by default.
    """

    _signal: ClassVar[Signal]

    def __init__(
        self,
        directory: str | None = None,
        *,
        settings: Settings | None = None,
        guard: Guard | None = None,
        clock: Callable[[], float] = time.time,
        **bounds: Any,
    ) -> None:
        given = bounds if directory is None else {"directory": directory, **bounds}
        settings = replace(settings or Settings.from_environment(), **given)
        self.file = RotatingFile(self._signal.name, Bounds.of(settings), clock)
        super().__init__(Lines(self._signal, self.file, settings, guard or Guard()))  # type: ignore[call-arg]


class RotatingSpanExporter(_Rotating, SpanSink):
    """Writes spans."""

    _signal = TRACES


class RotatingMetricExporter(_Rotating, MetricSink):
    """Writes metrics: of a collection that is no file's first only those that changed; all from time to time."""

    _signal = METRICS

    def __init__(self, *where: Any, **bounds: Any) -> None:
        super().__init__(*where, **bounds)
        self._changes = Changes()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Write what has changed of a collection as one line; FAILURE when that could not be written."""
        now = self.file.clock()
        wanted = self._changes.since_last(metrics_data, now)
        file = self.file.path
        result = super().export(wanted)
        if result is MetricExportResult.SUCCESS and wanted is not metrics_data and self.file.path != file:
            # Each file can be read without those before it.
            result = super().export(self._changes.all_of(metrics_data, now))
        if result is not MetricExportResult.SUCCESS:
            self._changes.forget()
        return result


class RotatingLogExporter(_Rotating, LogSink):
    """Writes log records; raises ImportError where OpenTelemetry has no logs, or no encoder of them."""

    _signal = LOGS
