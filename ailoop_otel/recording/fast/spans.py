"""Spans without what only foreign code needs: no lock, no copies, nothing that is not there yet.

The SDK's spans are made for any code: each has locks, copies and cleans what it is given, and counts it against
limits. What this package records is clean and short already, so its own provider gives it spans without all that.
Exporters read of them what they read of the SDK's spans. As soon as somebody else's code touches one that is current,
it becomes one of the SDK's own, with the same ids: then the SDK keeps every promise of its API.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from time import time_ns
from types import MappingProxyType
from typing import Any, Final, cast

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    TraceFlags,
    get_current_span,
)

from ailoop_otel import names
from ailoop_otel.fork import begin
from ailoop_otel.recording.internals import SPAN_KEY, fields_of
from ailoop_otel.recording.spans import EMPTY, ERROR, Attributes, OwnTracerProvider, Spans, context_of
from ailoop_otel.version import __version__

UNSET: Final = Status()
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_SAMPLED_RANDOM: Final = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)


class _Lock:
    """One for all light spans: an exporter's thread may end a span while the server's code writes to it."""

    def __init__(self) -> None:
        # In a forked child the thread that holds it does not exist.
        begin(self.renew)

    def renew(self) -> None:
        self.held = threading.RLock()


_LOCK: Final = _Lock()


class LightSpan(SdkSpan):
    """A span that holds what it is given, and nothing that is not there yet.

    It has fields of its own in place of those that the SDK's class promises to read, and never calls that class's
    `__init__`. What foreign code asks of it, the SDK's span `full` does, which is made then.
    """

    __slots__ = (
        "_full", "context", "end_time", "kind", "name", "origin", "parent", "raw_attributes", "raw_links", "start_time",
        "status",
    )  # fmt: skip

    def __init__(
        self,
        origin: Promotion,
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
        self.raw_attributes = attributes
        self.context = context  # type: ignore[misc]
        self.parent = parent  # type: ignore[misc]
        self.kind = kind  # type: ignore[misc]
        self.raw_links = links
        self.status = UNSET  # type: ignore[misc]
        self._full: SdkSpan | None = None

    # --- What exporters read -----------------------------------------------------------------------------------
    @property
    def attributes(self) -> Attributes:
        """The attributes, read-only."""
        full = self._full
        return MappingProxyType(self.raw_attributes) if full is None else full.attributes or {}

    @property
    def links(self) -> Sequence[Link]:
        """The links so far."""
        return tuple(self.raw_links) if self._full is None else self._full.links

    @property
    def resource(self) -> Resource:
        """The resource of the provider."""
        return self.origin.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """The scope of this package."""
        return self.origin.scope

    instrumentation_info = None  # deprecated by the SDK

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
            self.name, self.context, self.parent, self.resource, self.attributes, self.events, self.links,
            self.kind, None, self.status, self.start_time, self.end_time, self.instrumentation_scope,
        )  # fmt: skip

    # --- What this package records -----------------------------------------------------------------------------
    def finish(self, end: int, attributes: Attributes | None, error: bool) -> None:
        """End it, with what is known only now; `attributes` are clean."""
        with _LOCK.held:
            full = self._full
            if full is None:
                if self.end_time is not None:
                    return
                if attributes:
                    self.raw_attributes.update(attributes)
                if error:
                    self.status = ERROR  # type: ignore[misc]
                self.end_time = end
        if full is None:
            self.origin.ended(self)
        elif full.is_recording():
            self.set_attributes(attributes or {})
            if error:
                self.set_status(ERROR)
            self.end(end)

    # --- What foreign code asks of it: the SDK does it -----------------------------------------------------------
    def _ask(self, method: str, *arguments: Any, **named: Any) -> None:
        with _LOCK.held:
            full = self._full
            if full is None:
                full = self._full = self.origin.promoted(self)
        getattr(full, method)(*arguments, **named)
        self.name, self.status, self.end_time = full.name, full.status, full.end_time  # type: ignore[misc]

    def end(self, end_time: int | None = None) -> None:
        """End it (nanoseconds since the epoch; now, where no time is given) and pass it to the processors."""
        if self._full is None and self.end_time is None:
            self.finish(time_ns() if end_time is None else end_time, None, False)
        else:
            self._ask("end", end_time)


def _of_full(name: str, default: Any, span: LightSpan) -> Any:
    return default if span._full is None else getattr(span._full, name)


# What it has none of until it is the SDK's.
for _name, _none in {"events": (), "dropped_attributes": 0, "dropped_events": 0, "dropped_links": 0}.items():
    setattr(LightSpan, _name, property(partial(_of_full, _name, _none)))


def _asking(method: str) -> Any:
    def ask(span: LightSpan, *arguments: Any, **named: Any) -> None:
        span._ask(method, *arguments, **named)

    return ask


for _method in (
    "set_attributes", "set_attribute", "add_event", "add_link", "record_exception", "set_status", "update_name",
    "start", "__exit__",
):  # fmt: skip
    setattr(LightSpan, _method, _asking(_method))


def _of_sdk_span(name: str, span: LightSpan) -> Any:
    return getattr(span.as_sdk_span(), name)


# An exporter of somebody else may read fields that the SDK does not promise: whatever they are called in this release.
# Not by `__getattr__`, with which every access to a span takes longer.
for _field in vars(ReadableSpan("", resource=Resource({}))):
    setattr(LightSpan, _field, property(partial(_of_sdk_span, _field)))


class Promotion:
    """Makes the SDK's own span of a light one, by way of the SDK's public interface."""

    def __init__(self, provider: OwnTracerProvider) -> None:
        self._provider = provider
        self.scope: Final = InstrumentationScope(names.SCOPE, __version__, names.SCHEMA_URL)

    @property
    def resource(self) -> Resource:
        """Of all spans; another one after a fork."""
        return self._provider.resource

    def ended(self, span: ReadableSpan) -> None:
        """Pass an ended span to the processors."""
        for processor in self._provider.processors:
            processor.on_end(span)

    def promoted(self, span: LightSpan) -> SdkSpan:
        """The SDK's span with the same ids and all that is recorded so far; it goes to the processors at its end.

        Of a span that has ended, one that has ended as well: the SDK warns of what is done to it.
        """
        made = TracerProvider(
            sampler=ALWAYS_ON, resource=self.resource, shutdown_on_exit=False, id_generator=_Ids(span.context)
        )
        tracer = made.get_tracer(self.scope.name, self.scope.version or "", schema_url=self.scope.schema_url)
        above = EMPTY if span.parent is None else context_of(NonRecordingSpan(span.parent))
        full = tracer.start_span(
            span.name, above, span.kind, span.raw_attributes, span.raw_links, span.start_time, False, False
        )
        if not span.status.is_unset:
            full.set_status(span.status)
        if span.end_time is not None:
            full.end(span.end_time)
        made.add_span_processor(_Forwarding(self))
        return cast("SdkSpan", full)


class _Ids(IdGenerator):
    """Gives the one span that is made the ids that it has already."""

    def __init__(self, context: SpanContext) -> None:
        self._context = context

    def generate_trace_id(self) -> int:
        return self._context.trace_id

    def generate_span_id(self) -> int:
        return self._context.span_id

    def is_trace_id_random(self) -> bool:
        return bool(self._context.trace_flags & TraceFlags.RANDOM_TRACE_ID)


class _Forwarding(SpanProcessor):
    def __init__(self, origin: Promotion) -> None:
        self._origin = origin

    def on_end(self, span: ReadableSpan) -> None:
        self._origin.ended(span)


class LightSpans(Spans):
    """Records light spans into a provider of this package; `attributes` become the span's own and are not checked.

    Where nothing is exported, spans have ids and record nothing.
    """

    def __init__(self, tracer: Tracer, provider: OwnTracerProvider) -> None:
        super().__init__(tracer)
        self._provider = provider
        self._origin = Promotion(provider)
        self._trace_id = provider.ids.generate_trace_id
        self._span_id = provider.ids.generate_span_id
        self._root_flags = _flags(provider.ids.is_trace_id_random())

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
            above = None
            context = SpanContext(self._trace_id(), self._span_id(), False, self._root_flags)
        else:
            trace_id, _, _, flags, state = fields_of(above)
            # By default what has no parent is sampled, and what has one if that is: no sampler has to be asked.
            if not flags & TraceFlags.SAMPLED:
                return super().start(name, start, attributes, parent, kind, links)
            context = SpanContext(trace_id, self._span_id(), False, _flags(flags & TraceFlags.RANDOM_TRACE_ID), state)
        if not provider.processors:
            return NonRecordingSpan(context)
        return LightSpan(self._origin, name, start, attributes, context, above, kind, links)

    @staticmethod
    def end(span: Span, end: int, attributes: Attributes | None = None, error: bool = False) -> None:
        """End a span, with what is known of it only now."""
        if type(span) is LightSpan:
            span.finish(end, attributes, error)
        else:
            Spans.end(span, end, attributes, error)


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
    return LightSpans(tracer, provider) if _reads_as_the_sdks(Promotion(provider)) else None


def _flags(random: int) -> TraceFlags:
    return _SAMPLED_RANDOM if random else _SAMPLED


_PROPERTIES: Final = (
    "name", "context", "parent", "kind", "start_time", "end_time", "status", "attributes", "links",
    "dropped_attributes", "dropped_events", "dropped_links", "resource", "instrumentation_scope",
)  # fmt: skip


def _reads_as_the_sdks(origin: Promotion) -> bool:
    above, context = SpanContext(1, 1, True, _SAMPLED), SpanContext(1, 2, False, _SAMPLED)
    links = (Link(above, {"a": 1}),)
    try:
        span = LightSpan(origin, "probe", 3, {"a": 1}, context, above, SpanKind.CLIENT, links)
        span.status = ERROR  # type: ignore[misc]
        full = origin.promoted(span)
        return span.to_json() == full.to_json() and all(getattr(span, x) == getattr(full, x) for x in _PROPERTIES)
    except Exception:  # noqa: BLE001 - any: then the SDK's own spans are used
        return False
