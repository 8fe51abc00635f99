"""Spans as a line of OTLP JSON, written by hand: an attribute that comes again and again is encoded once.

The format: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding; what has its default is left out, as the
official encoder does. What few spans have (events, attributes of links, values other than text, numbers and
booleans) the official encoder encodes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from json.encoder import encode_basestring_ascii as _quoted
from math import isfinite
from typing import Any, Final

from opentelemetry.exporter.otlp.json.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from ailoop_otel.recording.fast.batches import Official, dropped_something, grouped, kept

_official: Final = Official(encode_spans)
_json: Final = json.JSONEncoder(separators=(",", ":")).encode

_KIND: Final = {kind: kind.value + 1 for kind in SpanKind}
# SpanFlags: whether a parent, or what a link points to, is remote is known (bit 8), and so it is (bit 9).
_LOCAL, _REMOTE = 0x100, 0x300
# How the oneof of an AnyValue starts, and how a boolean one ends.
_VALUES: Final = {
    str: '{"stringValue":',
    int: '{"intValue":"',
    float: '{"doubleValue":',
    bool: '{"boolValue":',
}
_BOOLS: Final = ("false}}", "true}}")

# What comes again and again: whole attributes by key and text, and the heads of all others. Texts that come only once
# fill it now and then; it is emptied then, and what is usual is back with the next spans.
_known: Final[dict[tuple[Any, ...], str]] = {}
_MOST: Final = 512  # entries
_SHORT: Final = 192  # characters: an attribute that is longer is not kept


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """An ExportTraceServiceRequest as one line with its break, nothing for no spans.

    Raises what the official encoder raises for spans it cannot encode.
    """
    # A line may be a megabyte, and each copy of it counts: it is put together once. A comma is before every span but
    # the first, whatever lists end and start there, so these are opened and closed by the spans themselves.
    resources = [_resource_spans(resource, scopes) for resource, scopes in grouped(spans, _span).items()]
    if not resources:
        return b""
    _enclose(resources, '{"resourceSpans":[', "]}\n")
    return b",".join(chain.from_iterable(resources))


def _resource_spans(resource: Any, scopes: Mapping[Any, list[bytes]]) -> list[bytes]:
    groups = [_scope_spans(scope, spans) for scope, spans in scopes.items()]
    _enclose(groups, f'{{"resource":{_resource(resource)},"scopeSpans":[', f"]{_schema(resource)}}}")
    return list(chain.from_iterable(groups))


def _scope_spans(scope: Any, spans: list[bytes]) -> list[bytes]:
    _enclose([spans], f'{{"scope":{_scope(scope)},"spans":[', f"]{_schema(scope) if scope else ''}}}")
    return spans


@kept
def _resource(resource: Any) -> str:
    return _json(_official.around(resource).resource.to_dict())


@kept
def _scope(scope: Any) -> str:
    return _json(_official.around(instrumentation_scope=scope).scope_spans[0].scope.to_dict())


def _enclose(groups: list[list[bytes]], start: str, end: str) -> None:
    groups[0][0] = start.encode() + groups[0][0]
    groups[-1][-1] += end.encode()


def _schema(owner: Any) -> str:
    return f',"schemaUrl":{_json(owner.schema_url)}' if owner.schema_url else ""


def _span(span: ReadableSpan) -> bytes:
    try:
        return _usual(span).encode()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # A time or a name that is none, a key that is no text, a number too large: the official encoder decides.
        return _json(_official.span(span).to_dict()).encode()


def _usual(span: ReadableSpan) -> str:
    context: Any = span.get_span_context()
    parent, status, name = span.parent, span.status, span.name
    start, end = span.start_time, span.end_time
    if not (name and start and end and start.__class__ is end.__class__ is int):
        raise ValueError
    parts = [
        f'{{"traceId":"{context.trace_id.to_bytes(16, "big").hex()}"'
        f',"spanId":"{context.span_id.to_bytes(8, "big").hex()}"'
        f',"flags":{_REMOTE if parent and parent.is_remote else _LOCAL}'
        f',"name":{_quoted(name)},"kind":{_KIND[span.kind]}'
        f',"startTimeUnixNano":"{start}","endTimeUnixNano":"{end}"'
    ]
    # A copy: the SDK's container is slow to walk, and the server may still be writing to a span that has not ended.
    if attributes := _attributes(span.attributes.copy()):  # type: ignore[union-attr]
        parts.append(f',"attributes":[{attributes}]')
    if parent:
        parts.append(f',"parentSpanId":"{parent.span_id.to_bytes(8, "big").hex()}"')
    if context.trace_state:
        parts.append(f',"traceState":{_json(context.trace_state.to_header())}')
    if links := span.links:
        parts.append(f',"links":[{",".join([_link(link) for link in links])}]')
    if events := span.events:
        official = _official.part(events=events).events
        parts.append(f',"events":{_json([event.to_dict() for event in official])}')
    if dropped_something(span):
        parts.append(_dropped(span))
    # An unset status is encoded as well: an empty one.
    parts.append(',"status":{}}' if status.status_code is StatusCode.UNSET else _status(status))
    return "".join(parts)


def _attributes(attributes: Mapping[str, Any]) -> str:
    known = _known.get
    # Each starts with a comma, as one that cannot be encoded leaves none.
    return "".join(
        [
            known((key, value)) or _string(key, value)
            if value.__class__ is str
            else _WRITERS.get(value.__class__, _other)(key, value)
            for key, value in attributes.items()
        ]
    )[1:]


def _kept(entry: tuple[Any, ...], content: str) -> str:
    if len(content) <= _SHORT:
        if len(_known) >= _MOST:
            _known.clear()
        _known[entry] = content
    return content


def _head(key: str, kind: type) -> str:
    """All of an attribute that comes before its text or number."""
    # A default, the empty key, is left out.
    named = f'"key":{_quoted(key)},' if key else ""
    return _kept((key, kind), f',{{{named}"value":{_VALUES[kind]}')


def _string(key: str, value: str) -> str:
    return _kept((key, value), f"{_known.get((key, str)) or _head(key, str)}{_quoted(value)}}}}}")


def _int(key: str, value: int) -> str:
    return f'{_known.get((key, int)) or _head(key, int)}{value}"}}}}'


def _float(key: str, value: float) -> str:
    # Those that are no number JSON has no numbers for.
    return f"{_known.get((key, float)) or _head(key, float)}{value!r}}}}}" if isfinite(value) else _other(key, value)


def _bool(key: str, value: bool) -> str:
    return (_known.get((key, bool)) or _head(key, bool)) + _BOOLS[value]


def _tuple(key: str, value: tuple[Any, ...]) -> str:
    # One text, as a finish reason is; others may be equal and yet another: (True,) == (1,).
    if len(value) == 1 and value[0].__class__ is str:
        return _known.get((key, value)) or _kept((key, value), _other(key, value))
    return _other(key, value)


def _other(key: str, value: Any) -> str:
    """What the official encoder makes of it: nothing, and a line in the log, where it cannot be encoded."""
    return "".join([f",{_json(one.to_dict())}" for one in _official.part(attributes={key: value}).attributes])


_WRITERS: Final[dict[type, Callable[[str, Any], str]]] = {int: _int, float: _float, bool: _bool, tuple: _tuple}


def _status(status: Status) -> str:
    message = f'"message":{_json(status.description)},' if status.description else ""
    return f',"status":{{{message}"code":{status.status_code.value}}}}}'


def _link(link: Link) -> str:
    # To ask for the dropped ones is expensive, and there are none without a mapping.
    if link.attributes is not None and (link.attributes or link.dropped_attributes):
        return ",".join([_json(one.to_dict()) for one in _official.part(links=(link,)).links])
    context = link.context
    return (
        f'{{"traceId":"{context.trace_id.to_bytes(16, "big").hex()}"'
        f',"spanId":"{context.span_id.to_bytes(8, "big").hex()}"'
        f',"flags":{_REMOTE if context.is_remote else _LOCAL}}}'
    )


def _dropped(span: ReadableSpan) -> str:
    counts = (
        ("Attributes", span.dropped_attributes),
        ("Events", span.dropped_events),
        ("Links", span.dropped_links),
    )
    return "".join([f',"dropped{what}Count":{count}' for what, count in counts if count])
