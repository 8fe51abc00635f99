"""Spans as OTLP protobuf, written by hand: an attribute that comes again and again is encoded once.

The wire format: https://protobuf.dev/programming-guides/encoding/. The messages and their field numbers:
`opentelemetry/proto/trace/v1/trace.proto` of https://github.com/open-telemetry/opentelemetry-proto. What few spans
have (events, attributes of links, values other than text, numbers and booleans) the official encoder encodes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Link, SpanContext, SpanKind, Status, StatusCode

from ailoop_otel.recording.fast.batches import Official, dropped_something, grouped, kept
from ailoop_otel.recording.fast.spans import UNSET, LightSpan
from ailoop_otel.recording.internals import fields_of, number_of

_official: Final = Official(encode_spans)
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_BYTES: Final = [bytes((number,)) for number in range(0x80)]
_double: Final = struct.Struct("<d").pack
_two: Final = struct.Struct("BB").pack
_three: Final = struct.Struct("BBB").pack


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _BYTES[number]
    if number < 0x4000:
        return _two(number & 0x7F | 0x80, number >> 7)
    if number < 0x200000:
        return _three(number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14)
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
# By the kind's number: to look up an enumeration's member is expensive.
_KIND: Final = {kind.value: _tag(6, _VARINT) + _varint(kind.value + 1) for kind in SpanKind}
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

_MOST: Final = 512  # entries
_SHORT: Final = 128  # bytes: an attribute that is longer is not kept
# Of all spans without one of their own.
_NO_STATE: Final = INVALID_SPAN_CONTEXT.trace_state


class _Known(dict[tuple[Any, ...], bytes]):
    """What comes again and again: whole attributes by key and text, and the heads of those that hold numbers.

    An attribute that is asked for and not known is encoded. Texts that come only once fill it now and then; it is
    emptied then, and what is usual is back with the next spans.
    """

    def __missing__(self, attribute: tuple[str, Any]) -> bytes:
        key, value = attribute
        return _WRITERS.get(value.__class__, _other)(key, value)

    def keep(self, entry: tuple[Any, ...], content: bytes) -> bytes:
        """Keep a content, unless it is too long."""
        if len(content) <= _SHORT:
            if len(self) >= _MOST:
                self.clear()
            self[entry] = content
        return content


_known: Final = _Known()
# Asked for one attribute after the other without a line of Python between two that are known.
_attribute: Final = _known.__getitem__
_head_of: Final = _known.get


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """A serialized ExportTraceServiceRequest; raises what the official encoder raises for spans it cannot encode."""
    resources = grouped(spans, _span)
    return b"".join([_field(_F1, _resource_spans(resource, scopes)) for resource, scopes in resources.items()])


def _resource_spans(resource: Any, scopes: Mapping[Any, list[bytes]]) -> bytes:
    parts = [_resource(resource)]
    parts += [_field(_F2, _scope_spans(scope, spans)) for scope, spans in scopes.items()]
    return b"".join(parts) + _text(_F3, resource.schema_url)


def _scope_spans(scope: Any, spans: list[bytes]) -> bytes:
    return (
        _scope(scope)
        + b"".join([_field(_F2, span) for span in spans])
        + (_text(_F3, scope.schema_url) if scope else b"")
    )


@kept
def _resource(resource: Any) -> bytes:
    return _field(_F1, _official.around(resource).resource.SerializeToString())


@kept
def _scope(scope: Any) -> bytes:
    official = _official.around(instrumentation_scope=scope).scope_spans[0].scope
    return _field(_F1, official.SerializeToString())


def _span(span: ReadableSpan) -> bytes:
    try:
        # A copy of the attributes: the SDK's container is slow to walk, and the server may still be writing to a span
        # that has not ended.
        if span.__class__ is LightSpan:
            # Without the properties that make copies: each costs as much as two attributes.
            return b"".join(
                _fields(
                    span.name, span.context, span.parent, span.kind, span.start_time, span.end_time,
                    span.status, span.raw_attributes.copy(), span.raw_links, (),
                )
            )  # fmt: skip
        parts = _fields(
            span.name, span.get_span_context(), span.parent, span.kind, span.start_time, span.end_time,
            span.status, span.attributes.copy(), span.links, span.events,  # type: ignore[union-attr]
        )  # fmt: skip
        if dropped_something(span):
            parts += _dropped(span)
        return b"".join(parts)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error):
        # A time or a name that is none, half a surrogate pair, a number beyond 64 bits: the official encoder decides.
        return bytes(_official.span(span).SerializeToString())


def _fields(
    name: str,
    context: Any,
    parent: SpanContext | None,
    kind: SpanKind,
    start: int | None,
    end: int | None,
    status: Status,
    attributes: Mapping[str, Any],
    links: Sequence[Link],
    events: Sequence[Event],
) -> list[bytes]:
    trace_id, span_id, _, _, state = fields_of(context)
    text = name.encode()
    parts = [
        _TRACE_ID,
        trace_id.to_bytes(16, "big"),
        _SPAN_ID,
        span_id.to_bytes(8, "big"),
        _NAME,
        _varint(len(text)),
        text,
        _KIND[number_of(kind)],
        _times(_START, start, _END, end),
        _UNSET if status is UNSET or status.status_code is StatusCode.UNSET else _status(status),
        *map(_attribute, attributes.items()),
    ]
    if parent:
        _, parent_id, is_remote, _, _ = fields_of(parent)
        parts += (_PARENT_ID, parent_id.to_bytes(8, "big"), _REMOTE if is_remote else _LOCAL)
    else:
        parts.append(_LOCAL)
    if state is not _NO_STATE and state:
        parts.append(_text(_TRACE_STATE, state.to_header()))
    if links:
        parts += [_link(link) for link in links]
    if events:
        parts += [_field(_EVENT, event.SerializeToString()) for event in _official.part(events=events).events]
    return parts


def _string(key: str, value: str) -> bytes:
    written = _field(_STRING, value.encode())
    return _known.keep((key, value), _field(_ATTRIBUTE, _field(_F1, key.encode()) + _field(_F2, written)))


def _head(key: str, tag: bytes, size: int) -> bytes:
    """All of an attribute that comes before its number: the number's size is given, in bytes."""
    start = _field(_F1, key.encode()) + _F2 + _varint(len(tag) + size) + tag
    return _known.keep((key, tag, size), _ATTRIBUTE + _varint(len(start) + size) + start)


def _int(key: str, value: int) -> bytes:
    if not 0 <= value < 2**63:
        if not -(2**63) <= value < 0:
            raise OverflowError
        value += 2**64
    number = _varint(value)
    size = len(number)
    return (_head_of((key, _INT, size)) or _head(key, _INT, size)) + number


def _float(key: str, value: float) -> bytes:
    return (_head_of((key, _DOUBLE, 8)) or _head(key, _DOUBLE, 8)) + _double(value)


def _bool(key: str, value: bool) -> bytes:
    return (_head_of((key, _BOOL, 1)) or _head(key, _BOOL, 1)) + _BYTES[value]


def _tuple(key: str, value: tuple[Any, ...]) -> bytes:
    # One text, as a finish reason is; others may be equal and yet another: (True,) == (1,).
    content = _other(key, value)
    return _known.keep((key, value), content) if len(value) == 1 and value[0].__class__ is str else content


def _other(key: str, value: Any) -> bytes:
    """What the official encoder makes of it: nothing, and a line in the log, where it cannot be encoded."""
    official = _official.part(attributes={key: value}).attributes
    return b"".join([_field(_ATTRIBUTE, one.SerializeToString()) for one in official])


_WRITERS: Final[dict[type, Callable[[str, Any], bytes]]] = {
    str: _string,
    int: _int,
    float: _float,
    bool: _bool,
    tuple: _tuple,
}


def _text(tag: bytes, text: str | None) -> bytes:
    return _field(tag, text.encode()) if text else b""


def _status(status: Status) -> bytes:
    code = _tag(3, _VARINT) + _varint(status.status_code.value)
    return _field(_STATUS, _text(_F2, status.description) + code)


def _link(link: Link) -> bytes:
    # To ask for the dropped ones is expensive, and there are none without a mapping.
    if link.attributes is not None and (link.attributes or link.dropped_attributes):
        return b"".join([_field(_LINK, one.SerializeToString()) for one in _official.part(links=(link,)).links])
    trace_id, span_id, is_remote, _, _ = fields_of(link.context)
    return b"".join(
        (
            _BARE_LINK,
            trace_id.to_bytes(16, "big"),
            _SPAN_ID,
            span_id.to_bytes(8, "big"),
            _REMOTE_LINK if is_remote else _LOCAL_LINK,
        )
    )


def _dropped(span: ReadableSpan) -> list[bytes]:
    counts = (
        (_DROPPED_ATTRIBUTES, span.dropped_attributes),
        (_DROPPED_EVENTS, span.dropped_events),
        (_DROPPED_LINKS, span.dropped_links),
    )
    return [tag + _varint(count) for tag, count in counts if count]
