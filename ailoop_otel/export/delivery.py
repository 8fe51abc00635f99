"""How batches of spans get to an exporter: tried again while there is time, and counted exactly where they are lost.

The SDK's OTLP exporters give a batch up after six attempts, which is after half a minute whatever
`OTEL_EXPORTER_OTLP_TIMEOUT` is (`_MAX_RETRIES` in opentelemetry-exporter-otlp-common). A collector that is being
replaced is away for longer.

The SDK's batch processor drops silently when threads race for the last place in its queue, and what an exporter
returns is not counted anywhere. So the queue is kept from ever being full: each span needs a permit to enter it,
there are as many permits as places, and a permit comes back when its span has left the queue. A span without a
permit is dropped here and counted. Taking a permit is one `deque.pop`, which is atomic, so no lock is taken on
the way of a span that goes through.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from ailoop_otel.recording.fast.spans import LightSpan
from ailoop_otel.recording.internals import enqueue_of

# The exporters wait 1, 2, 4, 8 and 16 s between their six attempts, or a fifth less. An export that failed
# sooner was refused, however slowly: OTLP forbids to send it again (https://opentelemetry.io/docs/specs/otlp/#failures).
_ALL_ATTEMPTS: Final = 24.0  # seconds


class SpanAccount:
    """What became of the spans of one exporter with a queue of `places`."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._begin()
        if hasattr(os, "register_at_fork"):
            begin = weakref.WeakMethod(self._begin)
            # The child's queue is empty: what was in it is the parent's to export, and to count.
            os.register_at_fork(after_in_child=lambda: (again := begin()) and again())

    @property
    def dropped(self) -> int:
        """Spans that were dropped; after `close()` those that still wait are given up for lost as well."""
        waiting = self._places - len(self._permits) + self._in_flight
        return self._lost + (waiting if self._closed else 0)

    def admit(self) -> bool:
        """Whether a span may enter the queue; if not, it is counted as dropped."""
        if not self._closed:
            try:
                self._permits.pop()
                return True
            except IndexError:
                pass
        self._lose(1)
        return False

    def dequeue(self, spans: int) -> None:
        """Note that spans left the queue for the exporter."""
        self._in_flight = spans
        self._permits.extend([None] * spans)

    def close_batch(self, spans: int, exported: bool) -> None:
        """Note what the exporter returned for them."""
        self._in_flight = 0
        if not exported:
            self._lose(spans)

    def close(self) -> None:
        """Admit no more."""
        self._closed = True

    def _begin(self) -> None:
        self._permits: deque[None] = deque([None] * self._places)
        self._closed = False
        self._in_flight = 0
        self._lost = 0
        # Reentrant: a signal handler may end a span of its own in the middle of the line below.
        self._lock = threading.RLock()

    def _lose(self, spans: int) -> None:
        with self._lock:
            self._lost += spans


class RetryingExporter(SpanExporter):
    """Passes batches on, and again where all attempts of the exporter failed, within `timeout` seconds in all."""

    def __init__(self, exporter: SpanExporter, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._exporter = exporter
        self._timeout = timeout
        self._clock = clock
        self._ended = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; what the exporter raises passes."""
        begun = self._clock()
        while True:
            tried = self._clock()
            result = self._exporter.export(spans)
            now = self._clock()
            if result is SpanExportResult.SUCCESS or self._ended:
                return result
            # Another try may take as long as this one.
            if now - tried < _ALL_ATTEMPTS or 2 * now - tried - begun > self._timeout:
                return result

    def shutdown(self) -> None:
        """Shut the exporter down; what is being tried is not tried again."""
        self._ended = True
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter, `timeout_millis` at most."""
        return self._exporter.force_flush(timeout_millis)


class CountingExporter(SpanExporter):
    """Passes batches on and counts what became of them; the SDK exports one batch at a time."""

    def __init__(self, exporter: SpanExporter, account: SpanAccount) -> None:
        self._exporter = exporter
        self._account = account

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; what the exporter raises passes, and counts as a failure."""
        self._account.dequeue(len(spans))
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._account.close_batch(len(spans), result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter, `timeout_millis` at most."""
        return self._exporter.force_flush(timeout_millis)


class CountingSpanProcessor(SpanProcessor):
    """The SDK's batch processor behind an account; drops the newest spans when `places` wait to be exported."""

    def __init__(self, exporter: SpanExporter, places: int, batch: int, delay_ms: float) -> None:
        self.account = SpanAccount(places)
        self._processor = BatchSpanProcessor(
            CountingExporter(exporter, self.account),
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
        if (span.__class__ is LightSpan or _is_sampled(span)) and self.account.admit():
            self._enqueue(span)

    def shutdown(self) -> None:
        """Export what waits, then stop; spans that end later are dropped."""
        self.account.close()
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what waits; the SDK ignores the timeout."""
        return self._processor.force_flush(timeout_millis)


def _is_sampled(span: ReadableSpan) -> bool:
    return span.context is not None and bool(span.context.trace_flags.sampled)
