"""Telemetry that is kept in memory, with a clock that the test sets and ids that count up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator

from ailoop_otel import names
from ailoop_otel.guard import Guard
from ailoop_otel.recording.spans import OwnTracerProvider
from ailoop_otel.recording.telemetry import SECOND, Telemetry
from ailoop_otel.settings import Settings

# Made once: it asks the machine.
RESOURCE = Resource.create({})
EPOCH = 1_700_000_000 * SECOND


class ManualClock:
    """A clock that stands still until it is moved, seconds."""

    def __init__(self) -> None:
        self.time = 1_000 * SECOND

    def now(self) -> int:
        """Monotonic time, nanoseconds."""
        return self.time

    def wall(self) -> int:
        """Time since the epoch, nanoseconds."""
        return EPOCH + self.time

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.time += round(seconds * SECOND)


class CountingIds(IdGenerator):
    """Ids 1, 2, 3, …"""

    def __init__(self) -> None:
        self._last = 0

    def generate_span_id(self) -> int:
        """The next id."""
        self._last += 1
        return self._last

    generate_trace_id = generate_span_id


@dataclass(frozen=True)
class Point:
    """One data point of a metric: its value, or a histogram's sum and count."""

    labels: dict[str, Any]
    value: float
    count: int


class Recording:
    """A `Telemetry` and what was recorded with it."""

    def __init__(
        self, guard: Guard | None = None, *, light: bool = True, clock: ManualClock | None = None, **settings: Any
    ) -> None:
        self.clock = clock or ManualClock()
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        self.reader = InMemoryMetricReader()
        processor = SimpleSpanProcessor(self._spans)
        self.tracers: TracerProvider = OwnTracerProvider(RESOURCE, [processor], CountingIds())
        if not light:  # as where somebody else's provider was there before
            self.tracers = TracerProvider(resource=RESOURCE, id_generator=CountingIds(), shutdown_on_exit=False)
            self.tracers.add_span_processor(processor)
        self.loggers = LoggerProvider(RESOURCE, shutdown_on_exit=False)
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.meters = MeterProvider([self.reader], RESOURCE, shutdown_on_exit=False)
        self.guard = guard or Guard(strict=True)
        self.telemetry = Telemetry(
            self.tracers, self.meters, self.loggers, Settings(**settings), self.guard, self.clock
        )
        # As the process has it observed.
        telemetry = self.telemetry
        telemetry.observe(names.METRIC_EXCHANGE_ACTIVE, lambda _: [Observation(telemetry.open_exchanges)])
        for metric in names.TOTALS:
            telemetry.observe(metric, lambda _, metric=metric: telemetry.total(metric))  # type: ignore[misc]

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """The spans that have ended, in order."""
        return [span for span in self._spans.get_finished_spans() if name is None or span.name == name]

    def span(self, name: str) -> ReadableSpan:
        """The only span of a name."""
        (span,) = self.spans(name)
        return span

    def events(self, name: str | None = None) -> list[Any]:
        """The log records that were emitted."""
        records = [data.log_record for data in self._logs.get_finished_logs()]
        return [record for record in records if name is None or record.event_name == name]

    def points(self, name: str) -> list[Point]:
        """The data points of a metric now."""
        return list(self._points(name))

    def total(self, name: str, **labels: Any) -> float:
        """The sum over a metric's points that have these labels (dots as underscores); counts of histograms."""
        wanted = {key.replace("_", "."): value for key, value in labels.items()}
        return sum(
            point.count or point.value
            for point in self._points(name)
            if all(point.labels.get(key) == value or key not in point.labels for key, value in wanted.items())
        )

    def _points(self, name: str) -> Iterator[Point]:
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name != name:
                        continue
                    for point in metric.data.data_points:
                        value = getattr(point, "value", None)
                        if value is None:
                            yield Point(dict(point.attributes), point.sum, point.count)
                        else:
                            yield Point(dict(point.attributes), value, 0)


def duration(span: ReadableSpan) -> float:
    """A span's length, seconds."""
    return ((span.end_time or 0) - (span.start_time or 0)) / SECOND
