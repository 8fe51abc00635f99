"""The same spans and measurements as the package's, recorded straight through the SDK by code that knows them."""

from __future__ import annotations

import os
import time
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, set_span_in_context

from tests.benchmarks.inside.contender import App, Contender, Taken
from tests.benchmarks.inside.otlp import QUEUE, Bodies
from tests.benchmarks.inside.script import SESSION

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_LINK = Link(SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)))
_PEER: dict[str, str | int] = {
    "rpc.system.name": "jsonrpc",
    "jsonrpc.protocol.version": "2.0",
    "network.protocol.name": "websocket",
    "network.transport": "tcp",
    "client.address": "127.0.0.1",
    "network.peer.address": "127.0.0.1",
    "network.peer.port": 50000,
}


class Sdk(Contender):
    """One exchange is recorded for each message; its frames are not looked at."""

    def __init__(self) -> None:
        os.environ.update(QUEUE)
        self._bodies = Bodies()
        self._tracers = TracerProvider()
        self._tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
        self._tracer = self._tracers.get_tracer("bench")
        meter = self._meters.get_meter("bench")

        def histogram(name: str) -> Any:
            return meter.create_histogram(name, "s", "", explicit_bucket_boundaries_advisory=_SECONDS)

        self._active = meter.create_up_down_counter("ailoop.exchange.active", "{exchange}")
        self._first_chunk = histogram("ailoop.exchange.time_to_first_chunk")
        self._duration = histogram("ailoop.exchange.duration")
        self._call = histogram("rpc.server.call.duration")

    def around(self, application: App) -> App:
        """With one exchange recorded for each message."""

        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            async def recording() -> Any:
                message = await receive()
                if "sendUserMessage" in message.get("text", ""):
                    self._record()
                return message

            await application(scope, recording, send)

        return wrapped

    def _record(self) -> None:
        now = time.time_ns()
        first, last = now + 1_000_000, now + 5_000_000
        self._active.add(1)
        attributes: dict[str, str | int] = {
            **_PEER,
            "rpc.method": "sendUserMessage",
            "jsonrpc.request.id": "1",
            "session.id": SESSION,
            "ailoop.dialect": "stateless",
        }
        span = self._tracer.start_span(
            "sendUserMessage", kind=SpanKind.SERVER, attributes=attributes, links=[_LINK], start_time=now
        )
        context = set_span_in_context(span)
        session = {"session.id": SESSION}
        self._tracer.start_span("ailoop.first_chunk", context, attributes=session, start_time=now).end(first)
        self._first_chunk.record(0.001, {"ailoop.dialect": "stateless"}, context)
        stream: dict[str, str | int | float] = {
            **session,
            "ailoop.stream.chunks": 100,
            "ailoop.stream.size": 50_000,
            "ailoop.stream.max_gap": 0.001,
        }
        self._tracer.start_span("ailoop.stream", context, attributes=stream, start_time=first).end(last)
        span.set_attributes(
            {
                "ailoop.exchange.outcome": "ok",
                "ailoop.exchange.correlation": "context",
                "ailoop.message.size": 100,
                "ailoop.answer.size": 700,
                "ailoop.stream.chunks": 100,
                "ailoop.stream.size": 50_000,
                "ailoop.exchange.time_to_first_chunk": 0.001,
            }
        )
        span.end(last)
        self._active.add(-1)
        self._duration.record(0.005, {"ailoop.dialect": "stateless", "ailoop.exchange.outcome": "ok"}, context)
        self._call.record(0.005, {"rpc.system.name": "jsonrpc", "rpc.method": "sendUserMessage"}, context)

    def spans(self) -> None:
        """Through the batch processor."""
        self._tracers.force_flush()

    def metrics(self) -> None:
        """One collection."""
        self._meters.force_flush()

    def take(self) -> Taken:
        """From the requests' bodies."""
        return self._bodies.take()

    def drop(self) -> None:
        """Unread."""
        self._bodies.drop()


def start(variant: str) -> Contender:
    """The SDK alone."""
    return Sdk()
