"""One line of an OTLP JSON Lines file as frozen records: spans, log events and points of metrics.

It never raises on bad input. Metrics are decoded only where they are asked for: the values of sums and gauges, and the
counts of histograms.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from ailoop_otel import names
from ailoop_otel.recorded.otlp_json import (
    LATEST,
    LOGS,
    METRICS,
    TRACES,
    Json,
    Signal,
    Value,
    attributes,
    double,
    identifier,
    instant,
    integer,
    mapping,
    mappings,
    text,
)

SERVER: Final = 2
_OUTCOMES: Final = frozenset(outcome.name for outcome in names.OUTCOMES)
SERVER_KINDS: Final = (SERVER, "SPAN_KIND_SERVER")
_ERRORS: Final = (2, "STATUS_CODE_ERROR")
_DELTA: Final = (1, "AGGREGATION_TEMPORALITY_DELTA")
# If a writer is killed in the middle of a line, the next writer of that file appends without a line break.
_BEGINNING: Final = re.compile(rb'\{\s*"resource(?:Spans|Logs|Metrics)"')
_SERVER_EVENTS: Final = (names.EVENT_SERVER_START.encode(), names.EVENT_SERVER_STOP.encode())
# In a line of metrics: the processes that it is from, and when the first of them was asked.
_PROCESS: Final = re.compile(rb'"service\.instance\.id"[^}]*?"stringValue":\s*"([^"]+)"')
_COLLECTED: Final = re.compile(rb'"timeUnixNano":\s*"?(\d{1,19})\b')

Parser: TypeAlias = "Callable[[bytes], Batch | None]"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span; `start` and `end` in nanoseconds since 1970, `parent_id` empty for a root.

    `links` are the ids of the spans that it links to, `process` is as in `process_of`.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    server: bool
    start: int
    end: int
    attributes: Mapping[str, Value]
    error: bool
    links: tuple[str, ...]
    scope: str
    process: str = ""

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return (self.end - self.start) / 1e9

    @property
    def outcome(self) -> str:
        """The outcome of an exchange, `_OTHER` for one that is not known here; empty if the span has none."""
        outcome = self.text(names.OUTCOME)
        return outcome if outcome in _OUTCOMES or not outcome else names.OTHER

    def text(self, name: str) -> str:
        """The value of an attribute as text; empty if it is absent."""
        value = self.attributes.get(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> float | None:
        """The value of an attribute as a number in its own unit; None if it is absent, not finite, or below zero.

        What is measured here, times, sizes and counts, is never negative.
        """
        value = self.attributes.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if 0 <= value < LATEST else None

    def flag(self, name: str) -> bool:
        """Whether an attribute is the boolean true."""
        return self.attributes.get(name) is True


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One log record that has an event name; `time` in nanoseconds since 1970, ids empty outside of a trace."""

    name: str
    time: int
    trace_id: str = ""
    span_id: str = ""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    process: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One data point: the value of a sum or gauge in its metric's unit, or the count of a histogram.

    Times are in nanoseconds since 1970. A `delta` counts from `start`, which is 0 if unknown. `resource` holds the
    resource attributes of the process, `total` the sum of what a histogram counts.
    """

    metric: str
    value: float
    start: int
    time: int
    delta: bool
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one line; `damaged` counts those that could not be read.

    `backwards` counts the spans that were left out because they end before they start.

    `points` has those of the metrics that were asked for. `heard` has the processes whose metrics these are, and when
    they were collected, nanoseconds since 1970; `path` is the file, if any.
    """

    spans: tuple[Span, ...] = ()
    events: tuple[LogEvent, ...] = ()
    points: tuple[Point, ...] = ()
    damaged: int = 0
    backwards: int = 0
    heard: tuple[tuple[str, int], ...] = ()
    path: str = ""


def process_of(resource: Mapping[str, Value]) -> str:
    """The process that wrote records with this resource, by its instance id or process id; empty if it has none."""
    return str(resource.get("service.instance.id") or resource.get("process.pid") or "")


def is_of_process(line: bytes) -> bool:
    """Whether a line says that its process started, stopped, or runs."""
    return line.startswith(METRICS.prefix) or any(event in line for event in _SERVER_EVENTS)


def heard(line: bytes) -> tuple[tuple[str, int], ...]:
    """The processes that a line of metrics is from, each with when they were collected; without decoding it."""
    collected = _COLLECTED.search(line)
    if collected is None:
        return ()
    return tuple((text(process.decode(errors="replace")), int(collected[1])) for process in _PROCESS.findall(line))


def reader(metrics: Collection[str], wanted: Callable[[Json], bool] = lambda span: True) -> Parser:
    """A parser that also decodes the metrics of these names; see `parse`."""
    return lambda line: parse(line, wanted, metrics)


def parse(
    line: bytes, wanted: Callable[[Json], bool] = lambda span: True, metrics: Collection[str] = ()
) -> Batch | None:
    """Parse one line; None if it is not OTLP JSON. Spans that `wanted` rejects are left out, and not decoded."""
    if not metrics and line.startswith(METRICS.prefix) and line.rstrip().endswith(b"]}"):
        return Batch(heard=heard(line))
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    if TRACES.members[0] in document:
        read, damaged = _kept(_span(*each) for each in _records(document, TRACES) if wanted(each[0]))
        spans = tuple(span for span in read if span.start <= span.end)
        return Batch(spans=spans, damaged=damaged, backwards=len(read) - len(spans))
    if LOGS.members[0] in document:
        events, damaged = _kept(_event(*each) for each in _records(document, LOGS))
        return Batch(events=events, damaged=damaged)
    if METRICS.members[0] in document:
        points, damaged = _kept(_points(document, metrics))
        return Batch(points=points, damaged=damaged, heard=heard(line))
    return None


def rescue(line: bytes, parser: Parser = parse) -> Batch | None:
    """Parse the complete export that follows a truncated one in the same line; None if there is none."""
    behind = last_beginning(line)
    return parser(behind) if behind else None


def last_beginning(line: bytes) -> bytes:
    """The only part of a line that may be a complete export behind truncated ones; empty if there is none.

    A complete export ends its line, so what stands before the last one is truncated.
    """
    last = deque(_BEGINNING.finditer(line, 1), maxlen=1)
    return line[last[0].start() :] if last else b""


def _records(document: Json, signal: Signal) -> Iterator[tuple[Json, str, Mapping[str, Value]]]:
    """Each record of a document, with the name of its scope and the attributes of its resource."""
    for resource in mappings(document.get(signal.members[0])):
        known = attributes(mapping(resource.get("resource")).get("attributes"))
        for scoped, record in signal.records({signal.members[0]: [resource]}):
            yield record, text(mapping(scoped.get("scope")).get("name")), known


def _kept(made: Iterable[T | None]) -> tuple[tuple[T, ...], int]:
    """The records that could be read, and how many could not."""
    every = list(made)
    kept = tuple(record for record in every if record is not None)
    return kept, len(every) - len(kept)


def _span(record: Json, scope: str, resource: Mapping[str, Value]) -> Span | None:
    trace_id, span_id = identifier(record.get("traceId")), identifier(record.get("spanId"))
    start, end = instant(record.get("startTimeUnixNano")), instant(record.get("endTimeUnixNano"))
    if not (trace_id and span_id and start and end):
        return None
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=identifier(record.get("parentSpanId")),
        name=text(record.get("name")),
        server=record.get("kind") in SERVER_KINDS,
        start=start,
        end=end,
        attributes=attributes(record.get("attributes")),
        error=mapping(record.get("status")).get("code") in _ERRORS,
        links=tuple(identifier(link.get("spanId")) for link in mappings(record.get("links"))),
        scope=scope,
        process=process_of(resource),
    )


def _event(record: Json, scope: str, resource: Mapping[str, Value]) -> LogEvent | None:
    time = instant(record.get("timeUnixNano")) or instant(record.get("observedTimeUnixNano"))
    if not time:
        return None
    return LogEvent(
        name=text(record.get("eventName")),
        time=time,
        trace_id=identifier(record.get("traceId")),
        span_id=identifier(record.get("spanId")),
        attributes=attributes(record.get("attributes")),
        process=process_of(resource),
    )


def _points(document: Json, wanted: Collection[str]) -> Iterator[Point | None]:
    for metric, _, resource in _records(document, METRICS):
        name = text(metric.get("name"))
        for kind in ("sum", "gauge", "histogram") if name in wanted else ():
            data = mapping(metric.get(kind))
            delta = data.get("aggregationTemporality") in _DELTA
            for record in mappings(data.get("dataPoints")):
                yield _point(name, record, resource, delta=delta)


def _point(metric: str, record: Json, resource: Mapping[str, Value], *, delta: bool) -> Point | None:
    time = instant(record.get("timeUnixNano"))
    if "count" in record or "asInt" in record:
        value: float | None = integer(record.get("count", record.get("asInt")))
    else:
        value = double(record.get("asDouble"))
    if not time or value is None or not math.isfinite(value) or value < 0:
        return None
    return Point(
        metric=metric,
        value=float(value),
        start=instant(record.get("startTimeUnixNano")),
        time=time,
        delta=delta,
        attributes=attributes(record.get("attributes")),
        resource=resource,
        total=double(record.get("sum")) or 0.0,
    )
