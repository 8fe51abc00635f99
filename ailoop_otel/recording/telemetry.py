"""Tracer, instruments, event logger, settings and clock: made once when the application starts, then passed in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.metrics import (
    CallbackOptions,
    Counter,
    Histogram,
    MeterProvider,
    NoOpHistogram,
    Observation,
    UpDownCounter,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanKind,
    TracerProvider,
)

from ailoop_otel import names
from ailoop_otel.guard import Guard
from ailoop_otel.names import Metric
from ailoop_otel.recording.fast.histograms import LightHistogram, store_of
from ailoop_otel.recording.internals import LOGS
from ailoop_otel.recording.spans import EMPTY, context_of, deferred_of, spans_of
from ailoop_otel.settings import Settings
from ailoop_otel.unpatched import time
from ailoop_otel.version import __version__

Attributes = dict[str, "str | bool | int | float"]
Labels = tuple["str | None", ...]
Callback = Callable[[CallbackOptions], Iterable[Observation]]

SECOND: Final = 1_000_000_000
# Jaeger counts in microseconds and warns for ever of a span without length.
SHORTEST: Final = 1_000


class Clock:
    """The machine's own clocks, in nanoseconds: `now` never goes back, `wall` is since the epoch. Tests have others."""

    now = staticmethod(time.perf_counter_ns)
    wall = staticmethod(time.time_ns)


class Telemetry:
    """Everything that the rooms need to record with.

    A span's times come from the monotonic clock; `offset` takes them to the epoch. `loggers` is OpenTelemetry's
    provider of loggers, or None where it has none.
    """

    def __init__(
        self,
        tracers: TracerProvider,
        meters: MeterProvider,
        loggers: Any,
        settings: Settings,
        guard: Guard,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.guard = guard
        self.clock = clock or Clock()
        spans = spans_of(tracers)
        self.start_span, self.end_span = spans.start, spans.end
        self.deferred = deferred_of(tracers)
        # Calls a function with arguments: deferred where the provider is this package's own, else at once.
        self.defer: Callable[..., None] = _at_once if self.deferred is None else self.deferred.defer
        self.events = loggers and loggers.get_logger(names.SCOPE, __version__, schema_url=names.SCHEMA_URL)
        self.meter = meters.get_meter(names.SCOPE, __version__, schema_url=names.SCHEMA_URL)
        self._store = store_of(meters)
        self.begin()

        self.first_chunk = self._histogram(names.METRIC_FIRST_CHUNK)
        self.exchange_duration = self._histogram(names.METRIC_EXCHANGE_DURATION)
        self.command_duration = self._histogram(names.METRIC_COMMAND_DURATION)
        self.errors = self._counter(names.METRIC_ERRORS)
        self.detection_delay = self._histogram(names.METRIC_DETECTION_DELAY)
        self.report_delay = self._histogram(names.METRIC_REPORT_DELAY)
        self.session_active = self._up_down(names.METRIC_SESSION_ACTIVE)
        self.session_retained = self._up_down(names.METRIC_SESSION_RETAINED)
        self.session_duration = self._histogram(names.METRIC_SESSION_DURATION)
        self.session_turns = self._histogram(names.METRIC_SESSION_TURNS)
        self.connection_active = self._up_down(names.METRIC_CONNECTION_ACTIVE)
        self.connection_duration = self._histogram(names.METRIC_CONNECTION_DURATION)
        self.rpc_duration = self._histogram(names.METRIC_RPC_DURATION)
        self.loop_lag = self._histogram(names.METRIC_LOOP_LAG)
        self.model_duration = self._histogram(names.METRIC_MODEL_DURATION)
        self.model_first_chunk = self._histogram(names.METRIC_MODEL_FIRST_CHUNK)
        self.model_chunk = self._histogram(names.METRIC_MODEL_CHUNK)
        self.call_input = self._histogram(names.METRIC_CALL_INPUT)
        self.call_output = self._histogram(names.METRIC_CALL_OUTPUT)
        self.agent_duration = self._histogram(names.METRIC_AGENT_DURATION)
        self.agent_inferences = self._histogram(names.METRIC_AGENT_INFERENCES)
        self.agent_tools = self._histogram(names.METRIC_AGENT_TOOLS)
        self.tool_duration = self._histogram(names.METRIC_TOOL_DURATION)
        self.mcp_server = self._histogram(names.METRIC_MCP_SERVER)
        self.mcp_client = self._histogram(names.METRIC_MCP_CLIENT)

    def begin(self) -> None:
        """Begin to count, also in a forked child."""
        self.unmatched = 0
        self.refused = 0
        # Read when metrics are collected: to record it would be a twentieth of what an exchange costs.
        self.open_exchanges = 0
        self.lag = 0  # how late the event loop has been in all, nanoseconds
        self.collecting = 0  # how long garbage collections have stopped the process in all, nanoseconds
        self._totals: dict[str, dict[Labels, float]] = {metric.name: {} for metric in names.TOTALS}
        self._adding = threading.Lock()

    def late(self, seconds: float) -> None:
        """Record that the event loop was late for a timer of this package."""
        self.lag += int(seconds * SECOND)
        self.loop_lag.record(seconds)

    def collected(self, nanoseconds: int) -> None:
        """Count the time of a garbage collection."""
        self.collecting += nanoseconds

    def offset(self) -> int:
        """What to add to a monotonic time to make it time since the epoch, nanoseconds."""
        return self.clock.wall() - self.clock.now()

    def span(
        self,
        name: str,
        start: int,
        end: int,
        attributes: dict[str, Any],
        parent: Context = EMPTY,
        links: Sequence[Link] = (),
        error: bool = False,
    ) -> Span:
        """Record a whole span, times in nanoseconds since the epoch; it is never shorter than Jaeger can show."""
        span = self.start_span(name, start, attributes, parent, SpanKind.INTERNAL, links)
        self.end_span(span, max(end, start + SHORTEST), None, error)
        return span

    def settle(self) -> None:
        """Record what was deferred."""
        if self.deferred is not None:
            self.deferred.settle()

    def event(
        self, name: str, wall: int, attributes: Mapping[str, Any], context: Context, *, warning: bool = False
    ) -> None:
        """Emit a log event, in the trace of `context`; nothing where OpenTelemetry has no logs."""
        if not self.events:
            return
        severity = LOGS.SeverityNumber.WARN if warning else LOGS.SeverityNumber.INFO
        self.events.emit(
            LOGS.LogRecord(
                timestamp=wall,
                observed_timestamp=wall,
                context=context,
                severity_number=severity,
                severity_text=severity.name,
                attributes=dict(attributes),
                event_name=name,
            )
        )

    def observe(self, metric: Metric, callback: Callback) -> None:
        """Make the asynchronous instrument of a metric."""
        create = getattr(self.meter, f"create_{metric.kind}")
        create(metric.name, callbacks=[callback], unit=metric.unit, description=metric.description)

    def record_all(
        self, histogram: LightHistogram | Histogram, amounts: Sequence[float], attributes: Attributes, context: Context
    ) -> None:
        """Record many values in a histogram at once."""
        if isinstance(histogram, LightHistogram):
            histogram.record_all(amounts, attributes, context)
        elif not isinstance(histogram, NoOpHistogram):
            for amount in amounts:
                histogram.record(amount, attributes, context)

    def add(self, metric: Metric, labels: Labels, amount: float) -> None:
        """Add to one of `names.TOTALS`; `labels` are the values of its labels, None for one that is absent."""
        totals = self._totals[metric.name]
        with self._adding:
            totals[labels] = totals.get(labels, 0) + amount

    def total(self, metric: Metric) -> list[Observation]:
        """The sums so far of one of `names.TOTALS`."""
        with self._adding:
            found = list(self._totals[metric.name].items())
        labelled = ((amount, zip(metric.labels, labels, strict=True)) for labels, amount in found)
        return [
            Observation(amount, {name: value for name, value in pairs if value is not None})
            for amount, pairs in labelled
        ]

    def _histogram(self, metric: Metric) -> LightHistogram | Histogram:
        if self._store is not None:
            return self._store.histogram(metric)
        return self.meter.create_histogram(
            metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.buckets
        )

    def _counter(self, metric: Metric) -> Counter:
        return self.meter.create_counter(metric.name, metric.unit, metric.description)

    def _up_down(self, metric: Metric) -> UpDownCounter:
        return self.meter.create_up_down_counter(metric.name, metric.unit, metric.description)


def failure(error: str | None) -> Attributes:
    """The attribute of what failed with an error; none without one."""
    return {} if error is None else {names.ERROR_TYPE: error}


def _at_once(record: Callable[..., object], *arguments: Any) -> None:
    record(*arguments)


def context_of_link(link: Link) -> Context:
    """As `context_of`, of the span that a link leads to."""
    return context_of(NonRecordingSpan(link.context))
