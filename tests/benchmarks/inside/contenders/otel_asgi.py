"""OpenTelemetry's ASGI instrumentation: as it comes, with OTLP encoding, and without a span for each message."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from tests.benchmarks.inside.contender import App, Contender, Taken
from tests.benchmarks.inside.otlp import QUEUE, Bodies


class Dropped(SpanExporter):
    """Takes spans and encodes nothing."""

    def __init__(self) -> None:
        self._taken = Taken()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Count them."""
        for span in spans:
            self._taken.spans[span.name] += 1
        return SpanExportResult.SUCCESS

    def take(self) -> Taken:
        """Since the last time."""
        taken, self._taken = self._taken, Taken()
        return taken


class Asgi(Contender):
    """The middleware, and a batch processor in front of the exporter."""

    def __init__(self, exporter: SpanExporter, out: Dropped | Bodies, **options: Any) -> None:
        self._out = out
        self._options = options
        self._tracers = TracerProvider()
        self._tracers.add_span_processor(BatchSpanProcessor(exporter))

    def around(self, application: App) -> App:
        """With the middleware."""
        served: App = OpenTelemetryMiddleware(application, tracer_provider=self._tracers, **self._options)
        return served

    def spans(self) -> None:
        """Through the batch processor."""
        self._tracers.force_flush()

    def take(self) -> Taken:
        """What reached the exporter."""
        return self._out.take()


def start(variant: str) -> Contender:
    """`defaults`, `otlp`, or `quiet`."""
    os.environ.update(QUEUE)
    if variant == "otlp":
        bodies = Bodies()
        return Asgi(OTLPSpanExporter(), bodies)
    dropped = Dropped()
    return Asgi(dropped, dropped, **({"exclude_spans": ["receive", "send"]} if variant == "quiet" else {}))
