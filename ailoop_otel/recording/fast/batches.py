"""A batch's encoded spans by resource and scope, as OTLP holds them; used by both encoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from ailoop_otel.recording.fast.spans import LightSpan

Encoded = TypeVar("Encoded")
_MOST_OWNERS: Final = 8
# Of a span of which only a part is encoded.
_NO_RESOURCE: Final = Resource({})
_CONTEXT: Final = SpanContext(1, 1, False)


def grouped(
    spans: Sequence[ReadableSpan], encode: Callable[[ReadableSpan], Encoded]
) -> dict[Any, dict[Any, list[Encoded]]]:
    """Each span encoded, by resource and by scope (None where there is none), in the order of the batch."""
    resources: dict[Any, dict[Any, list[Encoded]]] = {}
    origin = last_resource = last_scope = object()
    for span in spans:
        # Mostly the same as of the span before, and light spans show it at once.
        came_from = span.origin if span.__class__ is LightSpan else None
        if came_from is None or came_from is not origin:
            origin = came_from
            resource, scope = span.resource, span.instrumentation_scope
            # To look a resource up is expensive: its hash is that of its whole JSON.
            if resource is not last_resource:
                scopes = resources.setdefault(resource, {})
                last_resource, last_scope = resource, object()
            if scope is not last_scope:
                add = scopes.setdefault(scope or None, []).append
                last_scope = scope
        add(encode(span))
    return resources


def kept(encode: Callable[[Any], Encoded]) -> Callable[[Any], Encoded]:
    """The same function for a few resources or scopes that come with every batch: each is encoded once."""
    known: dict[int, tuple[Any, Encoded]] = {}

    def encoded(owner: Any) -> Encoded:
        # By identity, which costs nothing; what is kept keeps its owner, so no other object has its id.
        entry = known.get(id(owner))
        if entry is None:
            if len(known) >= _MOST_OWNERS:
                known.clear()
            entry = known[id(owner)] = (owner, encode(owner))
        return entry[1]

    return encoded


class Official:
    """What an official encoder makes of a span, or of parts of one; it raises what that encoder raises."""

    def __init__(self, encode_spans: Callable[[Any], Any]) -> None:
        self._encode = encode_spans

    def span(self, span: ReadableSpan) -> Any:
        """A whole span."""
        return self._encode([span]).resource_spans[0].scope_spans[0].spans[0]

    def part(self, **fields: Any) -> Any:
        """A span of which only these fields are wanted."""
        return self.around(**fields).scope_spans[0].spans[0]

    def around(self, resource: Resource = _NO_RESOURCE, **fields: Any) -> Any:
        """The same within its resource and scope."""
        span = ReadableSpan("example", _CONTEXT, resource=resource, start_time=1, end_time=1, **fields)
        return self._encode([span]).resource_spans[0]


def dropped_something(span: Any) -> bool:
    """Whether a span may have attributes, events or links that were dropped: only the SDK's containers count them."""
    if span.__class__ is LightSpan:
        return False
    return bool(span.dropped_attributes or span.dropped_events or span.dropped_links)
