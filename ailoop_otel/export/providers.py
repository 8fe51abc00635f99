"""The SDK's providers: those that somebody has set already, and those that we make."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.environment_variables import (
    OTEL_BLRP_SCHEDULE_DELAY,
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_SCHEDULE_DELAY,
    OTEL_METRIC_EXPORT_INTERVAL,
)
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from ailoop_otel.export import choice, histograms
from ailoop_otel.export.persistence import PersistentExporter
from ailoop_otel.export.signals import LOGS, METRICS, TRACES, Signal
from ailoop_otel.export.tally import TalliedSpanProcessor, Tally
from ailoop_otel.guard import Guard
from ailoop_otel.recording.histograms import LightMeterProvider, Sheet
from ailoop_otel.recording.journal import Journal
from ailoop_otel.recording.spans import LightTracerProvider

Provider = Any
# The SDK's own defaults, which it does not export.
_PLACES: Final = 2048
_BATCH: Final = 512
_SPAN_DELAY_MS: Final = 5_000
_METRIC_INTERVAL_MS: Final = 60_000

_GET: Final[dict[Signal, Callable[[], Provider]]] = {
    TRACES: trace.get_tracer_provider,
    METRICS: metrics.get_meter_provider,
    LOGS: _logs.get_logger_provider,
}
_SET: Final[dict[Signal, Callable[[Provider], None]]] = {
    TRACES: trace.set_tracer_provider,
    METRICS: metrics.set_meter_provider,
    LOGS: _logs.set_logger_provider,
}
_NO_OP: Final[dict[Signal, Callable[[], Provider]]] = {
    TRACES: trace.NoOpTracerProvider,
    METRICS: metrics.NoOpMeterProvider,
    LOGS: _logs.NoOpLoggerProvider,
}
# Made by us and shut down since. A global provider cannot be taken back, so it may still be the global one.
_ENDED: Final[weakref.WeakSet[Provider]] = weakref.WeakSet()


def existing(signal: Signal) -> Provider | None:
    """The global provider that somebody has set, or None; one of ours that was shut down is none."""
    provider = _global(signal)
    return None if provider is None or provider in _ENDED else provider


def no_op(signal: Signal) -> Provider:
    """A provider that does nothing."""
    return _NO_OP[signal]()


def publish(signal: Signal, provider: Provider) -> None:
    """Make a provider the global one, if there is none yet."""
    if _global(signal) is None:
        _SET[signal](provider)


def retire(provider: Provider) -> None:
    """Note that a provider of ours has been shut down."""
    _ENDED.add(provider)


def make(
    signal: Signal, exporters: Sequence[Any], resource: Resource, guard: Guard
) -> tuple[Provider, Sequence[Tally]]:
    """A signal's provider with its exporters, and the account of what they drop; may raise for bad `OTEL_*`."""
    if signal is TRACES:
        return _make_traces(exporters, resource, guard)
    if signal is METRICS:
        return _make_metrics(exporters, resource), ()
    return _make_logs(exporters, resource), ()


def _make_traces(exporters: Sequence[Any], resource: Resource, guard: Guard) -> tuple[Provider, Sequence[Tally]]:
    places = choice.whole(OTEL_BSP_MAX_QUEUE_SIZE, _PLACES)
    batch = min(places, choice.whole(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, _BATCH))
    default = choice.SPAN_DELAY_MS if choice.is_embedded(TRACES) else _SPAN_DELAY_MS
    delay = choice.whole(OTEL_BSP_SCHEDULE_DELAY, default)
    persistent = [PersistentExporter(exporter, choice.patience()) for exporter in exporters]
    processors = [TalliedSpanProcessor(exporter, places, batch, delay) for exporter in persistent]
    provider = LightTracerProvider(resource, processors, journal=Journal(guard))
    return provider, [processor.tally for processor in processors]


def _make_metrics(exporters: Sequence[Any], resource: Resource) -> Provider:
    default = choice.METRIC_INTERVAL_MS if choice.is_embedded(METRICS) else _METRIC_INTERVAL_MS
    interval = choice.whole(OTEL_METRIC_EXPORT_INTERVAL, default)
    # Some "exporters" are readers that wait to be asked, such as Prometheus's.
    ready = [exporter for exporter in exporters if isinstance(exporter, MetricReader)]
    periodic = [exporter for exporter in exporters if not isinstance(exporter, MetricReader)]
    sheet = Sheet() if histograms.fits(exporters) else None
    if sheet is not None:
        periodic = [histograms.SheetExporter(exporter, sheet) for exporter in periodic]
    readers = [*ready, *(PeriodicExportingMetricReader(exporter, interval) for exporter in periodic)]
    try:
        return LightMeterProvider(resource, readers, sheet)
    except Exception:
        for reader in readers:  # their threads would go on asking nobody
            reader.shutdown()
        raise


def _make_logs(exporters: Sequence[Any], resource: Resource) -> Provider:
    # Attached to no logger of the server's: its records hold whole frames.
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    delay = choice.whole(OTEL_BLRP_SCHEDULE_DELAY, choice.LOG_DELAY_MS)
    for exporter in exporters:
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=delay))
    return provider


def _global(signal: Signal) -> Provider | None:
    provider = _GET[signal]()
    # Before one is set the API hands out a stand-in, whose class is private for two of the three signals.
    return None if "Proxy" in type(provider).__name__ else provider
