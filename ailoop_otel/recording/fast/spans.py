"""Spans without what only foreign code needs: no lock, no copies, nothing that is not there yet.

The SDK's spans are made for any code: each has locks, copies and cleans what it is given, and counts it against
limits. What this package records is clean and short already, so its own provider gives it spans without all that.
Exporters read of them what they read of the SDK's spans; the server's code finds in the current span what the API
promises.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Tracer
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, get_current_span

from ailoop_otel import names
from ailoop_otel.recording.internals import SPAN_KEY, BoundedAttributes, BoundedList, fields_of
from ailoop_otel.recording.spans import EMPTY, ERROR, LIMIT, Attributes, OwnTracerProvider, Spans
from ailoop_otel.version import __version__

UNSET: Final = Status()
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_SAMPLED_RANDOM: Final = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)


class Origin(Protocol):
    """What made a span, and where the span goes when it has ended."""

    @property
    def resource(self) -> Resource:
        """Of all spans."""

    @property
    def scope(self) -> InstrumentationScope:
        """Of all spans."""

    def ended(self, span: LightSpan) -> None:
        """Pass an ended span to the processors."""


class LightSpan(ReadableSpan, Span):
    """A span that holds what it is given, and nothing that is not there yet.

    It overrides every public property of the SDK's `ReadableSpan`, whose own fields it does not have.
    """

    __slots__ = (
        "context", "end_time", "kind", "name", "origin", "parent", "raw_attributes", "raw_links", "start_time",
        "status",
    )  # fmt: skip

    # Most spans have none.
    raw_events: Any = ()

    def __init__(
        self,
        origin: Origin,
        name: str,
        start: int,
        attributes: dict[str, Any],
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        links: Sequence[Link],
    ) -> None:
        self.origin = origin
        self.name = name  # type: ignore[misc]
        self.start_time = start  # type: ignore[misc]
        self.end_time: int | None = None
        self.raw_attributes: Any = attributes
        self.context = context  # type: ignore[misc]
        self.parent = parent  # type: ignore[misc]
        self.kind = kind  # type: ignore[misc]
        self.raw_links: Any = links
        self.status = UNSET  # type: ignore[misc]

    # --- What exporters read -----------------------------------------------------------------------------------
    @property
    def attributes(self) -> Attributes:
        """The attributes, read-only."""
        return MappingProxyType(self.raw_attributes)

    @property
    def events(self) -> Sequence[Event]:
        """The events so far."""
        return tuple(self.raw_events)

    @property
    def links(self) -> Sequence[Link]:
        """The links so far."""
        return tuple(self.raw_links)

    @property
    def dropped_attributes(self) -> int:
        """Attributes beyond the limit."""
        return getattr(self.raw_attributes, "dropped", 0)

    @property
    def dropped_events(self) -> int:
        """Events beyond the limit."""
        return getattr(self.raw_events, "dropped", 0)

    @property
    def dropped_links(self) -> int:
        """Links beyond the limit."""
        return getattr(self.raw_links, "dropped", 0)

    @property
    def resource(self) -> Resource:
        """The resource of the provider."""
        return self.origin.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """The scope of this package."""
        return self.origin.scope

    @property
    def instrumentation_info(self) -> None:
        """Deprecated by the SDK."""
        return None

    def get_span_context(self) -> SpanContext:
        """The ids of the span."""
        return cast("SpanContext", self.context)

    def is_recording(self) -> bool:
        """Whether it has not ended."""
        return self.end_time is None

    def to_json(self, indent: int | None = 4) -> str:
        """As the SDK writes a span."""
        return str(self.as_sdk_span().to_json(indent))

    def as_sdk_span(self) -> ReadableSpan:
        """The same as the SDK's own class."""
        return ReadableSpan(
            self.name, self.context, self.parent, self.resource, self.raw_attributes, self.raw_events, self.raw_links,
            self.kind, None, self.status, self.start_time, self.end_time, self.instrumentation_scope,
        )  # fmt: skip

    # --- What this package records -----------------------------------------------------------------------------
    def finish(self, end: int, attributes: Attributes | None, error: bool) -> None:
        """End it, with what is known only now; `attributes` are clean."""
        if self.end_time is None:
            if attributes:
                self.raw_attributes.update(attributes)
            if error:
                self.status = ERROR  # type: ignore[misc]
            self.end(end)

    # --- What the server's own code may record, at the SDK's price -----------------------------------------------
    def end(self, end_time: int | None = None) -> None:
        """End it and pass it to the processors; a second time does nothing."""
        if self.end_time is not None:
            return
        self.end_time = time.time_ns() if end_time is None else end_time
        self.origin.ended(self)

    def set_attributes(self, attributes: Attributes) -> None:
        """Add attributes; what is no attribute is left out, as by the SDK."""
        if self.end_time is None:
            cleaned, held = BoundedAttributes(LIMIT, attributes), self._bounded()
            held.update(cleaned)
            held.dropped += cleaned.dropped

    def set_attribute(self, key: str, value: Any) -> None:
        """Add an attribute."""
        if self.end_time is None:
            self._bounded()[key] = value

    def _bounded(self) -> Any:
        if not isinstance(self.raw_attributes, BoundedAttributes):
            self.raw_attributes = BoundedAttributes(LIMIT, self.raw_attributes, immutable=False)
        return self.raw_attributes

    def add_event(self, name: str, attributes: Attributes | None = None, timestamp: int | None = None) -> None:
        """Add an event at a moment (nanoseconds since the epoch; now, where none is given)."""
        if self.end_time is None:
            if not isinstance(self.raw_events, BoundedList):
                self.raw_events = BoundedList(LIMIT)
            self.raw_events.append(Event(name, BoundedAttributes(LIMIT, attributes), timestamp))

    def add_link(self, context: SpanContext, attributes: Attributes | None = None) -> None:
        """Add a link to another span; what points nowhere is left out, as by the SDK."""
        points = isinstance(context, SpanContext) and (context.is_valid or attributes or context.trace_state)
        if self.end_time is None and points:
            if not isinstance(self.raw_links, BoundedList):
                self.raw_links = BoundedList.from_seq(LIMIT, self.raw_links)
            self.raw_links.append(Link(context, BoundedAttributes(LIMIT, attributes)))

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add an exception as an event."""
        kind = type(exception)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        described = {
            "exception.type": name,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", {**described, **(attributes or {})}, timestamp)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; "ok" is final, "unset" changes nothing, nor does what is no status."""
        if isinstance(status, StatusCode):
            status = Status(status, description)
        if not isinstance(status, Status) or status.is_unset or self.status.status_code is StatusCode.OK:
            return
        if self.end_time is None:
            self.status = status  # type: ignore[misc]

    def update_name(self, name: str) -> None:
        """Rename it."""
        if self.end_time is None:
            self.name = name  # type: ignore[misc]


def _of_sdk_span(name: str, span: LightSpan) -> Any:
    return getattr(span.as_sdk_span(), name)


# An exporter of somebody else may read fields that the SDK does not promise: whatever they are called in this release.
# Not by `__getattr__`, with which every access to a span takes longer.
for _field in vars(ReadableSpan("", resource=Resource({}))):
    setattr(LightSpan, _field, property(partial(_of_sdk_span, _field)))


class LightSpans(Spans):
    """Records light spans into a provider of this package; `attributes` become the span's own and are not checked."""

    def __init__(self, tracer: Tracer, provider: OwnTracerProvider) -> None:
        super().__init__(tracer)
        self._provider = provider
        self._trace_id = provider.ids.generate_trace_id
        self._span_id = provider.ids.generate_span_id
        self._root_flags = _flags(provider.ids.is_trace_id_random())
        self.scope: Final = InstrumentationScope(names.SCOPE, __version__, names.SCHEMA_URL)

    @property
    def resource(self) -> Resource:
        """Of all spans; another one after a fork."""
        return self._provider.resource

    def start(
        self,
        name: str,
        start: int,
        attributes: dict[str, Any],
        parent: Context = EMPTY,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
    ) -> Span:
        """Start a span."""
        provider = self._provider
        if provider.is_watched or not provider.samples_by_default:
            return super().start(name, start, attributes, parent, kind, links)
        above = None if parent is EMPTY else span_context_in(parent)
        if above is None or not above.is_valid:
            context = SpanContext(self._trace_id(), self._span_id(), False, self._root_flags)
            return LightSpan(self, name, start, attributes, context, None, kind, links)
        trace_id, _, _, flags, state = fields_of(above)
        # By default what has no parent is sampled, and what has one if that is: no sampler has to be asked.
        if not flags & TraceFlags.SAMPLED:
            return super().start(name, start, attributes, parent, kind, links)
        context = SpanContext(trace_id, self._span_id(), False, _flags(flags & TraceFlags.RANDOM_TRACE_ID), state)
        return LightSpan(self, name, start, attributes, context, above, kind, links)

    def end(self, span: Span, end: int, attributes: Attributes | None = None, *, error: bool = False) -> None:
        """End a span, with what is known of it only now."""
        if type(span) is LightSpan:
            span.finish(end, attributes, error)
        else:
            super().end(span, end, attributes, error=error)

    def ended(self, span: LightSpan) -> None:
        """Pass an ended span to the processors."""
        for processor in self._provider.processors:
            processor.on_end(span)


def span_context_in(context: Context) -> SpanContext:
    """Of the span in a context, as the API finds it, which first checks that it is a span."""
    span = context.get(SPAN_KEY) if SPAN_KEY else None
    if span.__class__ is LightSpan:
        found: SpanContext = span.context
        return found
    return get_current_span(context).get_span_context()


def light_spans(tracer: Any, provider: OwnTracerProvider) -> LightSpans | None:
    """How to record light spans with a tracer; None where the installed SDK does not read them as its own."""
    if not isinstance(tracer, Tracer):
        return None
    light = LightSpans(tracer, provider)
    return light if _reads_as_the_sdks(light) else None


def _flags(random: int) -> TraceFlags:
    return _SAMPLED_RANDOM if random else _SAMPLED


_PROPERTIES: Final = (
    "name", "context", "parent", "kind", "start_time", "end_time", "status", "attributes", "links",
    "dropped_attributes", "dropped_events", "dropped_links", "resource", "instrumentation_scope",
)  # fmt: skip


def _reads_as_the_sdks(light: LightSpans) -> bool:
    above, context = SpanContext(1, 1, True, _SAMPLED), SpanContext(1, 2, False, _SAMPLED)
    links = (Link(above, {"a": 1}),)
    try:
        span = LightSpan(light, "probe", 3, {"a": 1}, context, above, SpanKind.CLIENT, links)
        span.add_event("event", {"b": 2}, 4)
        span.set_status(ERROR)
        span.end_time = 5
        sdk = span.as_sdk_span()
        return span.to_json() == sdk.to_json() and all(getattr(span, x) == getattr(sdk, x) for x in _PROPERTIES)
    except Exception:  # noqa: BLE001 - any: then the SDK's own spans are used
        return False
