"""How spans are recorded: through the API wherever they go, and at a fraction of the price into a provider of ours.

Tracers of other providers are the SDK's own, and so are the spans where somebody else's processor looks at them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.environment_variables import OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace import TracerProvider as AnyProvider

from ailoop_otel import names
from ailoop_otel.guard import warn
from ailoop_otel.recording.deferred import SETTLE_TIMEOUT, DeferredWork
from ailoop_otel.recording.internals import SPAN_KEY
from ailoop_otel.settings import environment, is_true
from ailoop_otel.version import __version__

Attributes = Mapping[str, Any]

# A context without anything in it: a span whose parent it is, is the root of a trace.
EMPTY: Final = Context()
ERROR: Final = Status(StatusCode.ERROR)
# The SDK's own limit of a span's attributes, events and links.
LIMIT: Final = 128
# https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration
_DEFAULT_SAMPLER: Final = "parentbased_always_on"
# Where a package registers a sampler of its own, by its name in `OTEL_TRACES_SAMPLER`.
_SAMPLERS: Final = "opentelemetry_traces_sampler"
_SDKS_OWN: Final = "opentelemetry.sdk."

# Where it is set the SDK counts its spans.
_INTERNAL_METRICS: Final = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"


class Spans:
    """Records spans through the API; times in nanoseconds since the epoch."""

    def __init__(self, tracer: Tracer) -> None:
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
        """Start a span; without a parent it is the root of a trace.

        `attributes` become its own: the caller must not change them afterwards.
        """
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

    @staticmethod
    def end(span: Span, end: int, attributes: Attributes | None = None, error: bool = False) -> None:
        """End a span, with what is known of it only now."""
        if attributes:
            span.set_attributes(attributes)
        if error:
            span.set_status(ERROR)
        span.end(end)


class OwnTracerProvider(TracerProvider):
    """The SDK's provider as this package makes it: it remembers whether light spans will do.

    Deferred work is done before it flushes and before it shuts down. With `light` false all spans are the SDK's own.
    A `sampler` is the one that `OTEL_TRACES_SAMPLER` names, unless the SDK has it.
    """

    def __init__(
        self,
        resource: Resource,
        processors: Sequence[SpanProcessor],
        id_generator: IdGenerator | None = None,
        deferred: DeferredWork | None = None,
        *,
        light: bool = True,
        sampler: Sampler | None = None,
    ) -> None:
        self.ids = id_generator or RandomIdGenerator()
        # Whether a span is sampled if it has no parent, and else if that is; otherwise a sampler has to be asked.
        self.samples_by_default = environment(OTEL_TRACES_SAMPLER).lower() in ("", _DEFAULT_SAMPLER)
        limits = SpanLimits()
        super().__init__(
            sampler=ParentBased(ALWAYS_ON) if self.samples_by_default else sampler,
            resource=resource,
            shutdown_on_exit=False,
            span_limits=limits,
            id_generator=self.ids,
        )
        self.processors = tuple(processors)
        for processor in processors:
            super().add_span_processor(processor)
        self.deferred = deferred
        # Whether somebody else looks at spans: what his processor does with them, the SDK has promised him.
        self.is_watched = False
        counts = is_true(environment(_INTERNAL_METRICS))
        self.takes_light = light and _are_defaults(limits) and not counts

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor of somebody else's: from now on it gets the SDK's own spans, where and when they end."""
        self.is_watched = True
        if self.deferred is not None:
            self.deferred.close()
        super().add_span_processor(span_processor)
        self.processors = (*self.processors, span_processor)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export all that has ended."""
        settled = self.deferred is None or self.deferred.settle(min(timeout_millis / 1000, SETTLE_TIMEOUT))
        return super().force_flush(timeout_millis) and settled

    def shutdown(self) -> None:
        """Export all that has ended, and no more."""
        if self.deferred is not None:
            self.deferred.close()
        super().shutdown()


def registered_sampler() -> Sampler | None:
    """The sampler that `OTEL_TRACES_SAMPLER` names, where a package registers it; None where it is one of the SDK's.

    The SDK itself looks for such ones only where its own set-up makes the provider.
    """
    name = environment(OTEL_TRACES_SAMPLER)
    # Without a name nothing is looked for: to read what all packages register takes a tenth of a second.
    for point in entry_points(group=_SAMPLERS, name=name) if name else ():
        if point.value.startswith(_SDKS_OWN):
            continue  # the SDK reads their argument as a number, which it passes to no other
        try:
            made = point.load()(environment(OTEL_TRACES_SAMPLER_ARG))
        except Exception as fault:  # noqa: BLE001 - another package's code
            warn(f"{OTEL_TRACES_SAMPLER}={name} cannot be used ({fault!r}): all traces are sampled.")
            return ParentBased(ALWAYS_ON)
        if isinstance(made, Sampler):
            return made
    return None


def spans_of(tracers: AnyProvider) -> Spans:
    """How to record spans with a provider: light ones where it is ours and nothing needs more."""
    tracer = tracers.get_tracer(names.SCOPE, __version__, schema_url=names.SCHEMA_URL)
    if isinstance(tracers, OwnTracerProvider) and tracers.takes_light:
        from ailoop_otel.recording.fast.spans import light_spans

        return light_spans(tracer, tracers) or Spans(tracer)
    return Spans(tracer)


def deferred_of(tracers: AnyProvider) -> DeferredWork | None:
    """Where what is recorded with a provider may wait; None where it may not."""
    return tracers.deferred if isinstance(tracers, OwnTracerProvider) else None


def context_of(span: Span) -> Context:
    """The context whose children are `span`'s, and nothing else in it."""
    return Context({SPAN_KEY: span}) if SPAN_KEY else set_span_in_context(span, EMPTY)


def _are_defaults(limits: SpanLimits) -> bool:
    try:
        lengths = (limits.max_attribute_length, limits.max_span_attribute_length)
        numbers = {
            limits.max_span_attributes, limits.max_events, limits.max_links,
            limits.max_event_attributes, limits.max_link_attributes,
        }  # fmt: skip
    except AttributeError:
        return False
    return lengths == (None, None) and numbers == {LIMIT}
