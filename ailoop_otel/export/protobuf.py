"""Spans as OTLP protobuf, written by hand: an attribute that comes again and again is encoded once.

The wire format: https://protobuf.dev/programming-guides/encoding/. The messages and their field numbers:
`opentelemetry/proto/trace/v1/trace.proto` of https://github.com/open-telemetry/opentelemetry-proto. What few spans
have (events, attributes of links, values other than text, numbers and booleans) the official encoder encodes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common._internal import (
    _encode_attributes,
    _encode_instrumentation_scope,
    _encode_resource,
)
from opentelemetry.exporter.otlp.proto.common._internal.trace_encoder import (
    _encode_events,
    _encode_links,
    _encode_span,
    _encode_trace_state,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from ailoop_otel.export.grouping import dropped_something, grouped

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_BYTES: Final = [bytes((number,)) for number in range(0x80)]
_double: Final = struct.Struct("<d").pack


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _BYTES[number]
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    if number < 0x200000:
        return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14))
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _field(tag: bytes, content: bytes) -> bytes:
    return tag + _varint(len(content)) + content


_F1: Final = _tag(1, _LENGTH)
_F2: Final = _tag(2, _LENGTH)
_F3: Final = _tag(3, _LENGTH)

# Fields of a Span, in the order of their numbers; the length of an id is part of its tag here.
_TRACE_ID: Final = _F1 + b"\x10"
_SPAN_ID: Final = _F2 + b"\x08"
_TRACE_STATE: Final = _F3
_PARENT_ID: Final = _tag(4, _LENGTH) + b"\x08"
_NAME: Final = _tag(5, _LENGTH)
_KIND: Final = {kind: _tag(6, _VARINT) + _varint(kind.value + 1) for kind in SpanKind}
_times: Final = struct.Struct("<cQcQ").pack
_START: Final = _tag(7, _FIXED64)
_END: Final = _tag(8, _FIXED64)
_ATTRIBUTE: Final = _tag(9, _LENGTH)
_DROPPED_ATTRIBUTES: Final = _tag(10, _VARINT)
_EVENT: Final = _tag(11, _LENGTH)
_DROPPED_EVENTS: Final = _tag(12, _VARINT)
_LINK: Final = _tag(13, _LENGTH)
_DROPPED_LINKS: Final = _tag(14, _VARINT)
_STATUS: Final = _tag(15, _LENGTH)
_UNSET: Final = _field(_STATUS, b"")
# SpanFlags: whether a parent, or what a link points to, is remote is known (bit 8), and so it is (bit 9).
_LOCAL: Final = _tag(16, _FIXED32) + struct.pack("<I", 0x100)
_REMOTE: Final = _tag(16, _FIXED32) + struct.pack("<I", 0x300)
# Of a Link.
_LOCAL_LINK: Final = _tag(6, _FIXED32) + struct.pack("<I", 0x100)
_REMOTE_LINK: Final = _tag(6, _FIXED32) + struct.pack("<I", 0x300)
_BARE_LINK: Final = _LINK + _varint(len(_TRACE_ID) + 16 + len(_SPAN_ID) + 8 + len(_LOCAL_LINK)) + _TRACE_ID
# The oneof of an AnyValue.
_STRING: Final = _tag(1, _LENGTH)
_BOOL: Final = _tag(2, _VARINT)
_INT: Final = _tag(3, _VARINT)
_DOUBLE: Final = _tag(4, _FIXED64)

# What comes again and again: whole attributes by key and text, and the heads of those that hold numbers. Texts that
# come only once fill it now and then; it is emptied then, and what is usual is back with the next spans.
_known: Final[dict[tuple[Any, ...], bytes]] = {}
_MOST: Final = 512  # entries
_SHORT: Final = 128  # bytes: an attribute that is longer is not kept


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """A serialized ExportTraceServiceRequest; raises what the official encoder raises for spans it cannot encode."""
    resources = grouped(spans, _span)
    return b"".join([_field(_F1, _resource_spans(resource, scopes)) for resource, scopes in resources.items()])


def _resource_spans(resource: Any, scopes: Mapping[Any, list[bytes]]) -> bytes:
    parts = [_field(_F1, _encode_resource(resource).SerializeToString())]
    parts += [_field(_F2, _scope_spans(scope, spans)) for scope, spans in scopes.items()]
    return b"".join(parts) + _text(_F3, resource.schema_url)


def _scope_spans(scope: Any, spans: list[bytes]) -> bytes:
    head = _field(_F1, _encode_instrumentation_scope(scope).SerializeToString())
    return head + b"".join([_field(_F2, span) for span in spans]) + (_text(_F3, scope.schema_url) if scope else b"")


def _span(span: ReadableSpan) -> bytes:
    try:
        return _usual(span)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error):
        # A time or a name that is none, half a surrogate pair, a number beyond 64 bits: the official encoder decides.
        return bytes(_encode_span(span).SerializeToString())


def _usual(span: ReadableSpan) -> bytes:
    context: Any = span.get_span_context()
    parent, status = span.parent, span.status
    name = span.name.encode()
    parts = [
        _TRACE_ID,
        context.trace_id.to_bytes(16, "big"),
        _SPAN_ID,
        context.span_id.to_bytes(8, "big"),
        _NAME,
        _varint(len(name)),
        name,
        _KIND[span.kind],
        _times(_START, span.start_time, _END, span.end_time),
        _UNSET if status.status_code is StatusCode.UNSET else _status(status),
        _REMOTE if parent and parent.is_remote else _LOCAL,
    ]
    # A copy: the SDK's container is slow to walk, and the server may still be writing to a span that has not ended.
    parts += _attributes(span.attributes.copy())  # type: ignore[union-attr]
    if parent:
        parts += (_PARENT_ID, parent.span_id.to_bytes(8, "big"))
    if context.trace_state:
        parts.append(_text(_TRACE_STATE, _encode_trace_state(context.trace_state)))
    if links := span.links:
        parts += [_link(link) for link in links]
    if events := span.events:
        parts += [_field(_EVENT, event.SerializeToString()) for event in _encode_events(events) or ()]
    if dropped_something(span):
        parts += _dropped(span)
    return b"".join(parts)


def _attributes(attributes: Mapping[str, Any]) -> list[bytes]:
    known = _known.get
    return [
        known((key, value)) or _string(key, value)
        if value.__class__ is str
        else _WRITERS.get(value.__class__, _other)(key, value)
        for key, value in attributes.items()
    ]


def _kept(entry: tuple[Any, ...], content: bytes) -> bytes:
    if len(content) <= _SHORT:
        if len(_known) >= _MOST:
            _known.clear()
        _known[entry] = content
    return content


def _string(key: str, value: str) -> bytes:
    written = _field(_STRING, value.encode())
    return _kept((key, value), _field(_ATTRIBUTE, _field(_F1, key.encode()) + _field(_F2, written)))


def _head(key: str, tag: bytes, size: int) -> bytes:
    """All of an attribute that comes before its number: the number's size is given, in bytes."""
    start = _field(_F1, key.encode()) + _F2 + _varint(len(tag) + size) + tag
    return _kept((key, tag, size), _ATTRIBUTE + _varint(len(start) + size) + start)


def _int(key: str, value: int) -> bytes:
    if not -(2**63) <= value < 2**63:
        raise OverflowError
    number = _varint(value if value >= 0 else value + 2**64)
    size = len(number)
    return (_known.get((key, _INT, size)) or _head(key, _INT, size)) + number


def _float(key: str, value: float) -> bytes:
    return (_known.get((key, _DOUBLE, 8)) or _head(key, _DOUBLE, 8)) + _double(value)


def _bool(key: str, value: bool) -> bytes:
    return (_known.get((key, _BOOL, 1)) or _head(key, _BOOL, 1)) + _BYTES[value]


def _tuple(key: str, value: tuple[Any, ...]) -> bytes:
    # One text, as a finish reason is; others may be equal and yet another: (True,) == (1,).
    if len(value) == 1 and value[0].__class__ is str:
        return _known.get((key, value)) or _kept((key, value), _other(key, value))
    return _other(key, value)


def _other(key: str, value: Any) -> bytes:
    """What the official encoder makes of it: nothing, and a line in the log, where it cannot be encoded."""
    return b"".join([_field(_ATTRIBUTE, one.SerializeToString()) for one in _encode_attributes({key: value})])


_WRITERS: Final[dict[type, Callable[[str, Any], bytes]]] = {int: _int, float: _float, bool: _bool, tuple: _tuple}


def _text(tag: bytes, text: str | None) -> bytes:
    return _field(tag, text.encode()) if text else b""


def _status(status: Status) -> bytes:
    code = _tag(3, _VARINT) + _varint(status.status_code.value)
    return _field(_STATUS, _text(_F2, status.description) + code)


def _link(link: Link) -> bytes:
    # Asking for the dropped ones is dear, and there are none without a mapping.
    if link.attributes is not None and (link.attributes or link.dropped_attributes):
        return b"".join([_field(_LINK, one.SerializeToString()) for one in _encode_links([link]) or ()])
    context = link.context
    return (
        _BARE_LINK
        + context.trace_id.to_bytes(16, "big")
        + _SPAN_ID
        + context.span_id.to_bytes(8, "big")
        + (_REMOTE_LINK if context.is_remote else _LOCAL_LINK)
    )


def _dropped(span: ReadableSpan) -> list[bytes]:
    counts = (
        (_DROPPED_ATTRIBUTES, span.dropped_attributes),
        (_DROPPED_EVENTS, span.dropped_events),
        (_DROPPED_LINKS, span.dropped_links),
    )
    return [tag + _varint(count) for tag, count in counts if count]
