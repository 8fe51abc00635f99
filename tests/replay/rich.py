"""Spans with everything that OpenTelemetry's data model has, written by the official exporter."""

from __future__ import annotations

import json
from pathlib import Path

from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

BEGIN = 1_763_820_000_123_456_789
ATTRIBUTES = {
    "text": 'quote " backslash \\ line\nbreak \x1b tab\t плохо 🎉',
    "empty": "",
    "largest": 2**63 - 1,
    "smallest": -(2**63),
    "beyond a double": 2**53 + 1,
    "third": 1 / 3,
    "tiny": 5e-324,
    "huge": 1.7976931348623157e308,
    "whole": 1.0,
    "yes": True,
    "no": False,
    "bytes": bytes(range(256)),
    "texts": ("a", "", "ü"),
    "numbers": (0, -1, 2**62),
    "fractions": (0.1, 1e300),
    "flags": (True, False),
    "none": (),
}


def write(path: Path) -> None:
    """Every kind, status and type of value; events, links, trace state, dropped counts, odd lengths."""
    provider = TracerProvider(
        resource=Resource({"service.name": "rich", **ATTRIBUTES}),
        span_limits=SpanLimits(max_events=2, max_links=2, max_span_attributes=20),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(FileSpanExporter(path)))
    tracer = provider.get_tracer("scope", "1.2", attributes={"of": "the scope"})
    state = TraceState([("vendor", "value"), ("other", "1")])
    far = SpanContext(int("0123456789abcdef" * 2, 16), 0x00000000000000AB, True, TraceFlags(1), state)
    links = [Link(far, {"why": "because", "count": 3}), Link(far), Link(far)]
    root = tracer.start_span("root", kind=SpanKind.SERVER, attributes=ATTRIBUTES, links=links, start_time=BEGIN)
    inside = set_span_in_context(root)
    for number, kind in enumerate(SpanKind):
        child = tracer.start_span(f"child {kind.name}", inside, kind, start_time=BEGIN + number)
        child.add_event("happened", ATTRIBUTES, BEGIN + number)
        child.add_event("again", timestamp=BEGIN + number + 1)
        child.add_event("dropped", timestamp=BEGIN + number + 2)
        child.set_status(Status(StatusCode.ERROR, "what went wrong ü") if number % 2 else Status(StatusCode.OK))
        child.end(BEGIN + number + 1)
    for number in range(4):
        root.set_attribute(f"more.{number}", number)
    root.end(BEGIN + 10**9)
    provider.get_tracer("another scope").start_span("lonely", start_time=BEGIN).end(BEGIN + 1)
    provider.shutdown()
    assert json.loads(path.read_text())
