"""How spans are recorded: through the API wherever they go, and at a fraction of the price into a provider of ours.

The SDK's spans are made for any code: each has locks, copies and cleans what it is given, and counts it against
limits. What this package records is clean and short before it comes here, so a provider that this package makes gives
it spans without all that. Exporters see what the SDK would show them; the code of the server finds in the current
span what the API promises. Tracers of anybody else are the SDK's own, and so are these spans where anybody else's
processor looks at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace import Tracer as AnyTracer
from opentelemetry.trace import TracerProvider as AnyProvider

from ailoop_otel import names
from ailoop_otel.recording.journal import PATIENCE, Journal
from ailoop_otel.recording.lightspan import ERROR, MOST, Attributes, LightSpan, span_context_in
from ailoop_otel.version import __version__

# A context without anything in it: a span whose parent it is, is the root of a trace.
EMPTY: Final = Context()
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_SAMPLED_RANDOM: Final = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)


def spans_of(tracers: AnyProvider) -> Spans:
    """How to record spans with a provider: at the light price where it is ours and nothing needs more."""
    tracer = tracers.get_tracer(names.SCOPE, __version__, schema_url=names.SCHEMA_URL)
    if isinstance(tracers, LightTracerProvider) and isinstance(tracer, Tracer) and tracers.takes_light:
        light = LightSpans(tracer, tracers)
        if _reads_as_the_sdks(light):
            return light
    return Spans(tracer)


class Spans:
    """Records spans through the API; times in nanoseconds since the epoch."""

    def __init__(self, tracer: AnyTracer) -> None:
        self._tracer = tracer

    def start(
        self,
        name: str,
        start: int,
        attributes: dict[str, Any],
        parent: Context = EMPTY,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
    ) -> Span:
        """Start a span; `attributes` become its own."""
        return self._tracer.start_span(
            name,
            context=parent,
            kind=kind,
            attributes=attributes,
            links=links,
            start_time=start,
            record_exception=False,
            set_status_on_exception=False,
        )

    def end(self, span: Span, end: int, attributes: Attributes | None = None, *, error: bool = False) -> None:
        """End a span, with what is known of it only now."""
        if attributes:
            span.set_attributes(attributes)
        if error:
            span.set_status(ERROR)
        span.end(end)


class LightSpans(Spans):
    """Records spans for a provider of ours; `attributes` become the span's own and are not looked at again."""

    def __init__(self, tracer: Tracer, provider: LightTracerProvider) -> None:
        super().__init__(tracer)
        self._sdk = tracer  # whose provider tells it of another resource after a fork
        self._provider = provider
        self._sampler = tracer.sampler
        self._trace_id = tracer.id_generator.generate_trace_id
        self._span_id = tracer.id_generator.generate_span_id
        self._root_flags = _flags(tracer.id_generator.is_trace_id_random())

    @property
    def resource(self) -> Resource:
        """Of all spans."""
        return self._sdk.resource

    @property
    def scope(self) -> InstrumentationScope:
        """Of all spans."""
        return self._sdk._instrumentation_scope

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
        if self._provider.watched:
            return super().start(name, start, attributes, parent, kind, links)
        above = None if parent is EMPTY else span_context_in(parent)
        if above is None or not above.is_valid:
            if self._sampler is not DEFAULT_ON:
                return super().start(name, start, attributes, parent, kind, links)
            context = SpanContext(self._trace_id(), self._span_id(), False, self._root_flags)
            return LightSpan(self, name, start, attributes, context, None, kind, links)
        trace_id, _, _, flags, state, _ = above
        # By default what has no parent is sampled, and what has one if that is: nobody has to be asked.
        if self._sampler is not DEFAULT_ON or not flags & TraceFlags.SAMPLED:
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
        """Hand an ended span to those who export it."""
        self._sdk.span_processor.on_end(span)


class LightTracerProvider(TracerProvider):
    """The SDK's provider, which remembers whether light spans will do. The first processors are ours.

    With a journal, what was put down there is recorded before it flushes and before it shuts down.
    """

    def __init__(
        self,
        resource: Resource,
        processors: Sequence[SpanProcessor],
        id_generator: IdGenerator | None = None,
        journal: Journal | None = None,
    ) -> None:
        limits = SpanLimits()
        super().__init__(resource=resource, shutdown_on_exit=False, span_limits=limits, id_generator=id_generator)
        for processor in processors:
            super().add_span_processor(processor)
        self.journal = journal
        # Whether somebody else looks at spans: what he does with them, the SDK has promised him.
        self.watched = False
        lengths = (limits.max_attribute_length, limits.max_span_attribute_length)
        numbers = (
            limits.max_span_attributes, limits.max_events, limits.max_links,
            limits.max_event_attributes, limits.max_link_attributes,
        )  # fmt: skip
        self.takes_light = lengths == (None, None) and set(numbers) == {MOST}

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor of somebody else's: from now on it gets the SDK's own spans, where and when they end."""
        self.watched = True
        if self.journal is not None:
            self.journal.close()
        super().add_span_processor(span_processor)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export all that has ended."""
        settled = self.journal is None or self.journal.settle(min(timeout_millis / 1000, PATIENCE))
        return super().force_flush(timeout_millis) and settled

    def shutdown(self) -> None:
        """Export all that has ended, and no more."""
        if self.journal is not None:
            self.journal.close()
        super().shutdown()


def journal_of(tracers: AnyProvider) -> Journal | None:
    """Where what is recorded with a provider may wait; None where it may not."""
    return tracers.journal if isinstance(tracers, LightTracerProvider) else None


def _flags(random: int) -> TraceFlags:
    return _SAMPLED_RANDOM if random else _SAMPLED


def _reads_as_the_sdks(light: LightSpans) -> bool:
    """Whether the installed SDK reads a light span as it reads its own: the names of its fields are its own affair."""
    above, context = SpanContext(1, 1, True, _SAMPLED), SpanContext(1, 2, False, _SAMPLED)
    links = (Link(above, {"a": 1}),)
    try:
        _, _, _, _, _, _ = above
        span = LightSpan(light, "probe", 3, {"a": 1}, context, above, SpanKind.CLIENT, links)
        span.add_event("event", {"b": 2}, 4)
        span.set_status(ERROR)
        span._end_time = 5
        theirs = ReadableSpan(
            "probe", context, above, light.resource, {"a": 1}, span.events, links, SpanKind.CLIENT, None, ERROR, 3, 5,
            light.scope,
        )  # fmt: skip
        return span.to_json() == theirs.to_json() and span.instrumentation_scope == theirs.instrumentation_scope
    except Exception:  # noqa: BLE001 - any: then it is the SDK's own that are used
        return False
