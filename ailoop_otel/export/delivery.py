"""How batches of spans and log records get to an exporter: counted exactly where they are lost.

The SDK's batch processor drops silently when threads race for the last place in its queue, and what an exporter
returns is not counted anywhere. So the queue is kept from ever being full: each span needs a permit to enter it,
there are as many permits as places, and a permit comes back when its span has left the queue. A span without a
permit is dropped here and counted. Taking a permit is one `deque.pop`, which is atomic, so no lock is taken on
the way of a span that goes through.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from ailoop_otel.export.ledger import FAILED, QUEUE_FULL, UNDELIVERED, Ledger
from ailoop_otel.export.sinks import LogSink, MetricSink, SpanSink
from ailoop_otel.fork import begin_anew
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES
from ailoop_otel.recording.fast.spans import LightSpan
from ailoop_otel.recording.internals import LogRecordProcessor, enqueue_of, sdk_logs_export

_BATCH: Final = 512  # the SDK's own default


class Account:
    """What became of the records of one exporter with a queue of `places`; `signal` is the name of theirs."""

    def __init__(self, places: int, signal: str = TRACES.name) -> None:
        self.signal = signal
        self._places = places
        self._begin()
        # A child's queue is empty: what was in it is the parent's to export, and to count.
        begin_anew(self._begin)

    @property
    def dropped(self) -> int:
        """Spans that were dropped; after `close()` those that still wait are given up for lost as well."""
        return self.losses.total()

    @property
    def losses(self) -> Counter[str]:
        """The same by reason."""
        lost = self._lost.copy()
        if self._closed:
            lost[UNDELIVERED] += self._places - len(self._permits) + self._in_flight
        return lost

    def admit(self) -> bool:
        """Whether a span may enter the queue; if not, it is counted as dropped."""
        if not self._closed:
            try:
                self._permits.pop()
                return True
            except IndexError:
                pass
        self._lose(UNDELIVERED if self._closed else QUEUE_FULL, 1)
        return False

    def dequeue(self, spans: int) -> None:
        """Note that spans left the queue for the exporter."""
        self._in_flight = spans
        self._permits.extend([None] * spans)

    def close_batch(self, spans: int, exported: bool) -> None:
        """Note what the exporter returned for them."""
        self._in_flight = 0
        if not exported:
            self._lose(FAILED, spans)

    def close(self) -> None:
        """Admit no more."""
        self._closed = True

    def _begin(self) -> None:
        self._permits: deque[None] = deque([None] * self._places)
        self._closed = False
        self._in_flight = 0
        self._lost: Counter[str] = Counter()
        # Reentrant: a signal handler may end a span of its own in the middle of the line below.
        self._lock = threading.RLock()

    def _lose(self, reason: str, spans: int) -> None:
        with self._lock:
            self._lost[reason] += spans


class _Counting:
    """A sink that passes batches on to an exporter and notes what became of them; the SDK exports one at a time."""

    def __init__(self, exporter: Any, account: Account | None, close_batch: Callable[[int, bool], object]) -> None:
        self._exporter = exporter
        self._account = account
        self._close_batch = close_batch

    def take(self, batch: Any, count: int) -> bool:
        """Export a batch; what the exporter raises passes, and counts as a failure.

        It is an `Exception` then, as the SDK's threads end with any other.
        """
        if self._account is not None:
            self._account.dequeue(count)
        is_taken = False
        try:
            # Each signal has results of its own, and all have this name.
            is_taken = getattr(self._exporter.export(batch), "name", "") == "SUCCESS"
        except Exception:
            raise
        except BaseException as fault:  # noqa: BLE001 - another package's code
            raise RuntimeError(f"an exporter raised {type(fault).__name__}") from None
        finally:
            self._close_batch(count, is_taken)
        return is_taken

    def settle(self, timeout: float) -> bool:
        """Flush the exporter, `timeout` seconds at most."""
        return bool(self._exporter.force_flush(round(timeout * 1e3)))

    def stop(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()


def counting_metrics(exporter: MetricExporter, ledger: Ledger) -> MetricExporter:
    """An exporter that passes collections on, and counts the data points of those that fail."""

    def close_batch(points: int, exported: bool) -> None:
        if not exported:
            ledger.lose(METRICS.name, FAILED, points)

    return MetricSink(_Counting(exporter, None, close_batch), exporter)


class _Accounted:
    """A batch processor behind an account."""

    account: Account
    _processor: Any

    def shutdown(self) -> None:
        """Export what waits, then stop; what ends later is dropped."""
        self.account.close()
        self._processor.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what waits; the SDK ignores the timeout."""
        return bool(self._processor.force_flush(timeout_millis))


class CountingSpanProcessor(_Accounted, SpanProcessor):
    """The SDK's batch processor behind an account; drops the newest spans when `places` wait to be exported."""

    def __init__(self, exporter: SpanExporter, places: int, batch: int, delay_ms: float) -> None:
        self.account = Account(places)
        self._processor = BatchSpanProcessor(
            SpanSink(_Counting(exporter, self.account, self.account.close_batch)),
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
        if is_sampled and self.account.admit():
            self._enqueue(span)


class CountingLogProcessor(_Accounted, LogRecordProcessor):  # type: ignore[misc]
    """As `CountingSpanProcessor`, for log records."""

    def __init__(self, exporter: Any, places: int, delay_ms: float) -> None:
        self.account = Account(places, LOGS.name)
        self._processor = sdk_logs_export().BatchLogRecordProcessor(
            LogSink(_Counting(exporter, self.account, self.account.close_batch)),
            max_queue_size=places,
            schedule_delay_millis=delay_ms,
            max_export_batch_size=min(places, _BATCH),
        )

    def on_emit(self, log_record: Any) -> None:
        """Queue a record, or count it as dropped."""
        if self.account.admit():
            self._processor.on_emit(log_record)
