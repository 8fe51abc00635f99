"""How batches of spans and log records get to an exporter: counted exactly where they are lost.

The SDK's batch processor drops silently when threads race for the last place in its queue, and what an exporter
returns is not counted anywhere. So the queue is kept from ever being full: each span needs a permit to enter it,
there are as many permits as places, and a permit comes back when its span has left the queue. A span without a
permit is dropped here and counted. Taking a permit is one `deque.pop`, which is atomic, so no lock is taken on
the way of a span that goes through.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from ailoop_otel.export.ledger import FAILED, QUEUE_FULL, UNDELIVERED, Ledger
from ailoop_otel.export.sinks import LogSink, MetricSink, SpanSink
from ailoop_otel.fork import begin
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES, Signal
from ailoop_otel.recording.fast.histograms import HistogramStore
from ailoop_otel.recording.fast.spans import LightSpan
from ailoop_otel.recording.internals import LogRecordProcessor, enqueue_of, sdk_logs_export

_BATCH: Final = 512  # the SDK's own default


class Places:
    """The places in the queue of one exporter; a span or log record that finds none is dropped, and counted."""

    def __init__(self, number: int, signal: Signal, ledger: Ledger) -> None:
        self.signal = signal
        self._number = number
        self._ledger = ledger
        # A child's queue is empty: what was in it is the parent's to export, and to count.
        begin(self._begin)

    @property
    def given_up(self) -> int:
        """How many spans wait or are on their way after `close()`: they are given up for lost."""
        return self._number - len(self._permits) + self.in_flight if self._closed else 0

    def admit(self) -> bool:
        """Whether a span may enter the queue; if not, it is counted as dropped."""
        if not self._closed:
            try:
                self._permits.pop()
                return True
            except IndexError:
                pass
        self._ledger.lose(self.signal.name, UNDELIVERED if self._closed else QUEUE_FULL, 1)
        return False

    def dequeue(self, spans: int) -> None:
        """Note that spans left the queue for the exporter; they are `in_flight` until it returns."""
        self.in_flight = spans
        self._permits.extend([None] * spans)

    def close(self) -> None:
        """Admit no more."""
        self._closed = True

    def _begin(self) -> None:
        self._permits: deque[None] = deque([None] * self._number)
        self._closed = False
        self.in_flight = 0


class _Counting:
    """A sink that passes batches on to an exporter and counts those that it does not take.

    The SDK exports one at a time; `places` are those of the queue that they come out of, if any.
    """

    def __init__(self, exporter: Any, signal: Signal, ledger: Ledger, places: Places | None = None) -> None:
        self._exporter = exporter
        self._signal = signal
        self._ledger = ledger
        self._places = places

    def take(self, batch: Any, count: int) -> bool:
        """Export a batch; what the exporter raises passes, and counts as a failure.

        It is an `Exception` then, as the SDK's threads end with any other.
        """
        if self._places is not None:
            self._places.dequeue(count)
        is_taken = False
        try:
            # Each signal has results of its own, and all have this name.
            is_taken = getattr(self._exporter.export(batch), "name", "") == "SUCCESS"
        except Exception:
            raise
        except BaseException as fault:  # noqa: BLE001 - another package's code
            raise RuntimeError(f"an exporter raised {type(fault).__name__}") from None
        finally:
            if self._places is not None:
                self._places.in_flight = 0
            if not is_taken:
                self._ledger.lose(self._signal.name, FAILED, count)
        return is_taken

    def settle(self, timeout: float) -> bool:
        """Flush the exporter, `timeout` seconds at most."""
        return bool(self._exporter.force_flush(round(timeout * 1e3)))

    def stop(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()


class CountingMetricExporter(MetricSink):
    """Passes collections on to another exporter, with the histograms of a `store`; counts the points of failed ones."""

    def __init__(self, exporter: MetricExporter, ledger: Ledger, store: HistogramStore | None = None) -> None:
        super().__init__(_Counting(exporter, METRICS, ledger), exporter)
        self._store = store
        self._exported = 0

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Export a collection."""
        if self._store is not None:
            metrics_data, self._exported = self._store.added_to(metrics_data, self._exported)
        return super().export(metrics_data, timeout_millis, **kwargs)


class _Counted:
    """A batch processor whose queue is never full."""

    places: Places
    _processor: Any

    def shutdown(self) -> None:
        """Export what waits, then stop; what ends later is dropped."""
        self.places.close()
        self._processor.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what waits; the SDK ignores the timeout."""
        return bool(self._processor.force_flush(timeout_millis))


class CountingSpanProcessor(_Counted, SpanProcessor):
    """The SDK's batch processor; drops the newest spans, and counts them, when `places` wait to be exported."""

    def __init__(self, exporter: SpanExporter, ledger: Ledger, places: int, batch: int, delay_ms: float) -> None:
        self.places = Places(places, TRACES, ledger)
        self._processor = BatchSpanProcessor(
            SpanSink(_Counting(exporter, TRACES, ledger, self.places)),
            max_queue_size=places,
            schedule_delay_millis=delay_ms,
            max_export_batch_size=batch,
        )
        # What its `on_end` does once it has looked at the span, as it is done here.
        self._enqueue = enqueue_of(self._processor)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing: only spans that have ended are exported."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span that was sampled, or count it as dropped."""
        # The others do not leave the queue and would not give their permits back; of light ones there are none.
        is_sampled = span.__class__ is LightSpan or (span.context is not None and span.context.trace_flags.sampled)
        if is_sampled and self.places.admit():
            self._enqueue(span)


class CountingLogProcessor(_Counted, LogRecordProcessor):  # type: ignore[misc]
    """As `CountingSpanProcessor`, for log records."""

    def __init__(self, exporter: Any, ledger: Ledger, places: int, delay_ms: float) -> None:
        self.places = Places(places, LOGS, ledger)
        self._processor = sdk_logs_export().BatchLogRecordProcessor(
            LogSink(_Counting(exporter, LOGS, ledger, self.places)),
            max_queue_size=places,
            schedule_delay_millis=delay_ms,
            max_export_batch_size=min(places, _BATCH),
        )

    def on_emit(self, log_record: Any) -> None:
        """Queue a record, or count it as dropped."""
        if self.places.admit():
            self._processor.on_emit(log_record)
