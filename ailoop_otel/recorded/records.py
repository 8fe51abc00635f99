"""One line of an OTLP JSON Lines file as small frozen records; pure, and never raises on bad input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

SERVER: Final = 2
_SERVER_KINDS: Final = (SERVER, "SPAN_KIND_SERVER")
_ERRORS: Final = (2, "STATUS_CODE_ERROR")
_LATEST: Final = 2**63 - 1
# Two writers in one file, the first killed in mid-line: what the second wrote follows without a line break.
_BEGINNING: Final = re.compile(rb'\{\s*"resource(?:Spans|Logs|Metrics)"')
_METRICS: Final = b'{"resourceMetrics":'

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = "Scalar | tuple[Scalar, ...]"
Json: TypeAlias = "dict[str, object]"
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
        return float(value) if abs(value) < _LATEST else None

    def flag(self, name: str) -> bool:
        """Whether an attribute says true."""
        return self.attributes.get(name) is True


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One log record that has an event name; `time` in nanoseconds since 1970."""

    name: str
    time: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one line holds; `damaged` counts the records in it that made no sense."""

    spans: tuple[Span, ...] = ()
    events: tuple[LogEvent, ...] = ()
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


def rescue(line: bytes) -> Batch | None:
    """Read what a whole line behind a torn one holds; None when there is none."""
    return next((batch for batch in map(parse, beginnings(line)) if batch is not None), None)


def beginnings(line: bytes) -> Iterator[bytes]:
    """What may be a whole line behind a torn one, the last first."""
    for found in reversed(list(_BEGINNING.finditer(line, 1))):
        yield line[found.start() :]


def _each(
    document: Json, path: tuple[str, str, str], make: Callable[[Json, str], T | None]
) -> tuple[tuple[T, ...], int]:
    made = [
        make(record, _text(_object(scoped.get("scope")).get("name")))
        for resource in _objects(document.get(path[0]))
        for scoped in _objects(resource.get(path[1]))
        for record in _objects(scoped.get(path[2]))
    ]
    kept = tuple(record for record in made if record is not None)
    return kept, len(made) - len(kept)


def _span(record: Json, scope: str) -> Span | None:
    trace_id, span_id = _id(record.get("traceId")), _id(record.get("spanId"))
    start, end = _time(record.get("startTimeUnixNano")), _time(record.get("endTimeUnixNano"))
    if not (trace_id and span_id and start and end):
        return None
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=_id(record.get("parentSpanId")),
        name=_text(record.get("name")),
        server=record.get("kind") in _SERVER_KINDS,
        start=start,
        end=end,
        attributes=_attributes(record.get("attributes")),
        error=_object(record.get("status")).get("code") in _ERRORS,
        links=tuple(Link(_id(link.get("traceId")), _id(link.get("spanId"))) for link in _objects(record.get("links"))),
        scope=scope,
    )


def _event(record: Json, scope: str) -> LogEvent | None:
    time = _time(record.get("timeUnixNano")) or _time(record.get("observedTimeUnixNano"))
    return LogEvent(name=_text(record.get("eventName")), time=time) if time else None


def _attributes(records: object) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for record in _objects(records):
        value = _value(record.get("value"))
        key = record.get("key")
        if value is not None and isinstance(key, str):
            found[_clean(key)] = value
    return found


def _value(holder: object) -> Value | None:
    for kind, content in _object(holder).items():
        if kind == "arrayValue":
            values = (_scalar(value) for value in _objects(_object(content).get("values")))
            return tuple(value for value in values if value is not None)
    return _scalar(_object(holder))


def _scalar(holder: Json) -> Scalar | None:
    for kind, content in holder.items():
        reader = _READERS.get(kind)
        if reader is not None:
            return reader(content)
    return None


def _text(content: object) -> str:
    return _clean(content) if isinstance(content, str) else ""


def _string(content: object) -> Scalar | None:
    return _clean(content) if isinstance(content, str) else None


def _boolean(content: object) -> Scalar | None:
    return content if isinstance(content, bool) else None


def _integer(content: object) -> Scalar | None:
    """Read a 64-bit number, which JSON carries as text."""
    if isinstance(content, bool) or not isinstance(content, int | str):
        return None
    try:
        return int(content)
    except ValueError:
        return None


def _double(content: object) -> Scalar | None:
    """Read a double; NaN and the infinities come as text."""
    if isinstance(content, bool) or not isinstance(content, int | float | str):
        return None
    try:
        return float(content)
    except (ValueError, OverflowError):
        return None


_READERS: Final[dict[str, Callable[[object], Scalar | None]]] = {
    "stringValue": _string,
    "intValue": _integer,
    "doubleValue": _double,
    "boolValue": _boolean,
}


def _time(content: object) -> int:
    """Nanoseconds since 1970, or 0 for what is no such time."""
    value = _integer(content)
    return value if isinstance(value, int) and 0 < value <= _LATEST else 0


def _id(content: object) -> str:
    return _clean(content).lower() if isinstance(content, str) else ""


def _clean(text: str) -> str:
    """Replace what would move the cursor, colour the terminal or fail to be written."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _object(content: object) -> Json:
    return content if isinstance(content, dict) else {}


def _objects(content: object) -> Iterator[Json]:
    if isinstance(content, list):
        yield from (_object(member) for member in content)
