"""Traces as a server records them, as bytes of OTLP in which ids and times can be replaced."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ailoop_otel import names
from tests.ailoop.provider import Provider
from tests.export.collector import Collector
from tests.stack.traffic import environment, run

ROOT = "sendUserMessage"
SLOW = 7.5  # seconds to the first chunk, beyond the 5 s of ingester.yaml
_SPANS = 0x12  # ScopeSpans.spans, a field of bytes


@dataclass(frozen=True)
class Template:
    """One message's trace: its spans' bytes, and where in them the ids and times are.

    `last` is the offset at which its root span begins, which a server sends last. Span n of a trace has the id n beyond
    the trace's.
    """

    kind: str
    content: bytes
    last: int
    traces: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]  # offset, number of the span
    times: tuple[tuple[int, int], ...]  # offset, nanoseconds since the root span's end
    size: int  # spans
    evident: bool  # that it must be kept shows without its root span

    def made(self, trace: bytes, now: int) -> tuple[bytes, bytes]:
        """Return the bytes of a new trace that ends at `now` (ns since the epoch): all spans but the root; the root."""
        content = bytearray(self.content)
        for offset in self.traces:
            content[offset : offset + 16] = trace
        first = int.from_bytes(trace[:8], "big")
        for offset, number in self.spans:
            content[offset : offset + 8] = ((first + number) & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")
        for offset, before in self.times:
            struct.pack_into("<Q", content, offset, now + before)
        return bytes(content[: self.last]), bytes(content[self.last :])


def span_ids(trace: bytes, size: int) -> set[str]:
    """The ids of a trace's spans, hexadecimal."""
    first = int.from_bytes(trace[:8], "big")
    return {f"{(first + number) & 0xFFFFFFFFFFFFFFFF:016x}" for number in range(size)}


@contextmanager
def capturing() -> Iterator[Collector]:
    """A collector that keeps what it takes."""
    collector = Collector()
    try:
        yield collector
    finally:
        collector.close()


def recorded() -> tuple[bytes, list[Template]]:
    """Let a server with the package answer messages that end well, late, with an error and with a timeout.

    Returns the bytes of its resource, and a template for each message.
    """
    with capturing() as collector, Provider() as provider:
        run(provider, environment(collector.url, "recorded"))
        bodies = collector.bodies["/v1/traces"]
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    resource = requests[0].resource_spans[0].resource
    for attribute in resource.attributes:
        if attribute.key == "service.name":
            attribute.value.string_value = "ailoop-scale"
    traces: dict[bytes, list[Span]] = defaultdict(list)
    for request in requests:
        for each in request.resource_spans:
            for scope in each.scope_spans:
                for span in scope.spans:
                    traces[span.trace_id].append(span)
    found = [_template(spans) for spans in traces.values() if any(span.name == ROOT for span in spans)]
    slow = next(spans for spans in traces.values() if _kind(spans) == "ok" and any(s.name == ROOT for s in spans))
    return resource.SerializeToString(), [*found, _template(_slowed(slow))]


def _template(spans: list[Span]) -> Template:
    spans = sorted(spans, key=lambda span: span.name == ROOT)
    kind = _kind(spans)
    numbers = {span.span_id: number for number, span in enumerate(spans)}
    end = spans[-1].end_time_unix_nano
    content, last = b"", 0
    for span in spans:
        # Links lead to a session's start, which is not replayed; so does a parent outside.
        del span.links[:]
        if span.parent_span_id not in numbers:
            span.parent_span_id = b""
        last = len(content)
        body = span.SerializeToString()
        content += bytes((_SPANS,)) + varint(len(body)) + body
    trace = spans[0].trace_id
    moments = {time for span in spans for time in _times(span)}
    return Template(
        kind=kind,
        content=content,
        last=last,
        traces=tuple(_found(content, trace)),
        spans=tuple((at, number) for id, number in numbers.items() for at in _found(content, id)),
        times=tuple((at, time - end) for time in moments for at in _found(content, struct.pack("<Q", time))),
        size=len(spans),
        evident=_kind(spans[:-1]) != "ok",
    )


def _kind(spans: Iterable[Span]) -> str:
    spans = list(spans)
    if any(span.name == names.SPAN_AI_TIMEOUT for span in spans):
        return "timeout"
    if any(span.status.code == Status.STATUS_CODE_ERROR for span in spans):
        return "error"
    waits = [a.value.double_value for s in spans for a in s.attributes if a.key == names.TIME_TO_FIRST_CHUNK]
    return "slow" if any(wait > 5 for wait in waits) else "ok"


def _slowed(spans: list[Span]) -> list[Span]:
    for span in spans:
        for attribute in span.attributes:
            if attribute.key == names.TIME_TO_FIRST_CHUNK:
                attribute.value.double_value = SLOW
    return spans


def _times(span: Span) -> Iterator[int]:
    yield span.start_time_unix_nano
    yield span.end_time_unix_nano
    for event in span.events:
        yield event.time_unix_nano


def _found(content: bytes, wanted: bytes) -> Iterator[int]:
    at = content.find(wanted)
    while at >= 0:
        yield at
        at = content.find(wanted, at + 1)


def varint(number: int) -> bytes:
    """A number as protobuf writes lengths."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
