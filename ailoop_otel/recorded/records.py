"""One line of an OTLP JSON Lines file as small frozen records; pure, and never raises on bad input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from ailoop_otel.recorded.values import LATEST, Json, Value, attributes, identifier, instant, mapping, mappings, text

SERVER: Final = 2
_SERVER_KINDS: Final = (SERVER, "SPAN_KIND_SERVER")
_ERRORS: Final = (2, "STATUS_CODE_ERROR")
# Two writers in one file, the first killed in mid-line: what the second wrote follows without a line break.
_BEGINNING: Final = re.compile(rb'\{\s*"resource(?:Spans|Logs|Metrics)"')
_METRICS: Final = b'{"resourceMetrics":'

Parser: TypeAlias = "Callable[[bytes], Batch | None]"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Link:
    """The span that another one points to."""

    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span; `start` and `end` in nanoseconds since 1970, `parent_id` empty for a root."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    server: bool
    start: int
    end: int
    attributes: Mapping[str, Value]
    error: bool
    links: tuple[Link, ...]
    scope: str

    @property
    def seconds(self) -> float:
        """How long it took, in seconds."""
        return max(0, self.end - self.start) / 1e9

    def text(self, name: str) -> str:
        """An attribute as text; empty when it is absent."""
        value = self.attributes.get(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> float | None:
        """An attribute as a number in its own unit; None when it is absent or no finite number."""
        value = self.attributes.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if abs(value) < LATEST else None

    def flag(self, name: str) -> bool:
        """Whether an attribute says true."""
        return self.attributes.get(name) is True


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One log record that has an event name; `time` in nanoseconds since 1970."""

    name: str
    time: int


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a sum or gauge in its metric's unit, or a histogram's count; times in nanoseconds since 1970.

    A `delta` counts since `start`, which is 0 where there is none. `resource` is what its process tells of itself.
    """

    metric: str
    value: float
    start: int
    time: int
    delta: bool
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one line holds; `damaged` counts the records in it that made no sense.

    `points` is empty unless `points.reader` read the line: to look at spans no metric is decoded.
    """

    spans: tuple[Span, ...] = ()
    events: tuple[LogEvent, ...] = ()
    points: tuple[Point, ...] = ()
    damaged: int = 0


def parse(line: bytes) -> Batch | None:
    """Read one line; None when it is no OTLP JSON."""
    if line.startswith(_METRICS) and line.rstrip().endswith(b"]}"):
        return Batch()  # no metric is shown, so none is decoded
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    if "resourceSpans" in document:
        spans, damaged = _each(document, ("resourceSpans", "scopeSpans", "spans"), _span)
        return Batch(spans=spans, damaged=damaged)
    if "resourceLogs" in document:
        events, damaged = _each(document, ("resourceLogs", "scopeLogs", "logRecords"), _event)
        return Batch(events=events, damaged=damaged)
    return Batch() if "resourceMetrics" in document else None


def rescue(line: bytes, parser: Parser = parse) -> Batch | None:
    """Read what a whole line behind a torn one holds; None when there is none."""
    return next((batch for batch in map(parser, beginnings(line)) if batch is not None), None)


def beginnings(line: bytes) -> Iterator[bytes]:
    """What may be a whole line behind a torn one, the last first."""
    for found in reversed(list(_BEGINNING.finditer(line, 1))):
        yield line[found.start() :]


def _each(
    document: Json, path: tuple[str, str, str], make: Callable[[Json, str], T | None]
) -> tuple[tuple[T, ...], int]:
    made = [
        make(record, text(mapping(scoped.get("scope")).get("name")))
        for resource in mappings(document.get(path[0]))
        for scoped in mappings(resource.get(path[1]))
        for record in mappings(scoped.get(path[2]))
    ]
    kept = tuple(record for record in made if record is not None)
    return kept, len(made) - len(kept)


def _span(record: Json, scope: str) -> Span | None:
    trace_id, span_id = identifier(record.get("traceId")), identifier(record.get("spanId"))
    start, end = instant(record.get("startTimeUnixNano")), instant(record.get("endTimeUnixNano"))
    if not (trace_id and span_id and start and end):
        return None
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=identifier(record.get("parentSpanId")),
        name=text(record.get("name")),
        server=record.get("kind") in _SERVER_KINDS,
        start=start,
        end=end,
        attributes=attributes(record.get("attributes")),
        error=mapping(record.get("status")).get("code") in _ERRORS,
        links=tuple(
            Link(identifier(link.get("traceId")), identifier(link.get("spanId")))
            for link in mappings(record.get("links"))
        ),
        scope=scope,
    )


def _link(record: Json) -> Link:
    return Link(identifier(record.get("traceId")), identifier(record.get("spanId")))


def _event(record: Json, scope: str) -> LogEvent | None:
    time = instant(record.get("timeUnixNano")) or instant(record.get("observedTimeUnixNano"))
    return LogEvent(name=text(record.get("eventName")), time=time) if time else None
