"""What a line of a recording holds: one OTLP export request, which is sent as its bytes stand in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from ailoop_otel.recorded.otlp_json import (
    METRICS,
    SIGNALS,
    TRACES,
    Json,
    Signal,
    attributes,
    instant,
    mapping,
    mappings,
    text,
)
from ailoop_otel.recorded.records import last_beginning

_SERVICE: Final = "service.name"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One recorded export; `begin` and `end` of its spans in nanoseconds since 1970, 0 if unknown.

    `points` counts what partial successes count: a metric's data points, else the records.
    """

    content: bytes
    signal: Signal
    records: int
    points: int
    services: frozenset[str]
    begin: int
    end: int


def parse(content: bytes) -> ExportRequest | None:
    """Parse a line, or the complete export that follows a truncated one in it; None if it is no telemetry."""
    return _parse(content) or _parse(last_beginning(content))


def halves(whole: ExportRequest) -> list[ExportRequest]:
    """Split a request into two with half of the records each; records keep their resource and scope."""
    root = json.loads(whole.content)
    middle = whole.records // 2
    parts = (_part(root, whole.signal, range(middle)), _part(root, whole.signal, range(middle, whole.records)))
    encoded = (json.dumps(part, separators=(",", ":")).encode() for part in parts)
    return [half for half in map(_parse, encoded) if half is not None]


def is_skippable(content: bytes, wanted: frozenset[Signal]) -> bool:
    """Whether a line certainly holds no wanted signal, also not behind a truncated export; it is not decoded."""
    return (
        content.endswith(b"]}")
        and any(content.startswith(signal.prefix) for signal in SIGNALS.values() if signal not in wanted)
        and not any(signal.prefix in content for signal in wanted)
    )


def _parse(content: bytes) -> ExportRequest | None:
    try:
        root = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(root, dict):
        return None
    signal = next((signal for signal in SIGNALS.values() if signal.members[0] in root), None)
    if signal is None:
        return None
    records = [record for _, record in signal.records(root)]
    begin, end = _times(records) if signal is TRACES else (0, 0)
    points = sum(map(_data_points, records)) if signal is METRICS else len(records)
    return ExportRequest(content, signal, len(records), points, frozenset(_services(root, signal)), begin, end)


def _part(root: Json, signal: Signal, kept: range) -> Json:
    """A copy with only those records whose running number is in `kept`."""
    outer, middle, inner = signal.members
    number = count()
    resources = []
    for resource in mappings(root.get(outer)):
        scopes = []
        for scoped in mappings(resource.get(middle)):
            records = [record for record in mappings(scoped.get(inner)) if next(number) in kept]
            if records:
                scopes.append({**scoped, inner: records})
        if scopes:
            resources.append({**resource, middle: scopes})
    return {**root, outer: resources}


def _data_points(metric: Json) -> int:
    return sum(len(list(mappings(mapping(data).get("dataPoints")))) for data in metric.values())


def named(request: ExportRequest) -> str:
    """What a request with one record holds, for a message: `span chat of trace 4bf9…, 5,300,123 bytes`."""
    first = next((record for _, record in request.signal.records(json.loads(request.content))), {})
    trace = text(first.get("traceId"))
    name = text(first.get("name")) or text(first.get("eventName"))
    words = (request.signal.record, name, f"of trace {trace}" if trace else "")
    return f"{' '.join(filter(None, words))}, {len(request.content):,} bytes"


def _services(root: Json, signal: Signal) -> Iterator[str]:
    for resource in mappings(root.get(signal.members[0])):
        service = attributes(mapping(resource.get("resource")).get("attributes")).get(_SERVICE)
        if isinstance(service, str):
            yield service


def _times(spans: list[Json]) -> tuple[int, int]:
    begins = list(filter(None, (instant(span.get("startTimeUnixNano")) for span in spans)))
    ends = list(filter(None, (instant(span.get("endTimeUnixNano")) for span in spans)))
    return min(begins, default=0), max(ends, default=0)
