"""An exporter that keeps trying for as long as `OTEL_EXPORTER_OTLP_TIMEOUT` allows.

The SDK's OTLP exporters give a batch up after six attempts, which is after half a minute whatever the timeout says
(`_MAX_RETRIES` in opentelemetry-exporter-otlp-common). A collector that is being replaced is away for longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

# The exporters wait 1, 2, 4, 8 and 16 s between their six attempts, or a fifth less. An export that failed
# sooner was refused, however slowly: OTLP forbids to send it again (https://opentelemetry.io/docs/specs/otlp/#failures).
_ALL_ATTEMPTS: Final = 24.0  # seconds


class PersistentExporter(SpanExporter):
    """Passes batches on, and again where all attempts of the exporter failed; `patience` in seconds for all of it."""

    def __init__(self, exporter: SpanExporter, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._exporter = exporter
        self._patience = patience
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
            if now - tried < _ALL_ATTEMPTS or 2 * now - tried - begun > self._patience:
                return result

    def shutdown(self) -> None:
        """Shut the exporter down; what is being tried is not tried again."""
        self._ended = True
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter, `timeout_millis` at most."""
        return self._exporter.force_flush(timeout_millis)
