"""The metrics of an OTLP JSON Lines file: the values of sums and gauges, and the counts of histograms."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from ailoop_otel.recorded.otlp_json import (
    METRICS,
    Json,
    Value,
    attributes,
    double,
    instant,
    integer,
    mapping,
    mappings,
    text,
)
from ailoop_otel.recorded.records import Batch, Parser, Point, heard, parse

_DELTA: Final = (1, "AGGREGATION_TEMPORALITY_DELTA")
_RESOURCES, _SCOPES, _METRICS = METRICS.members
_MARK: Final = _RESOURCES.encode()


def reader(wanted: Collection[str], spans: Callable[[Json], bool] = lambda span: True) -> Parser:
    """A parser for `files.read` that also decodes the metrics of these names, and the spans that `spans` accepts.

    It never raises on bad input.
    """

    def parse_all(line: bytes) -> Batch | None:
        return _metrics(line, wanted) if _MARK in line[:64] else parse(line, spans)

    return parse_all


def _metrics(line: bytes, wanted: Collection[str]) -> Batch | None:
    try:
        content = mapping(json.loads(line))
    except (ValueError, RecursionError):
        return None
    if _RESOURCES not in content:
        return None
    made = [
        _point(text(metric.get("name")), kind, record, known)
        for resource in mappings(content[_RESOURCES])
        for known in (attributes(mapping(resource.get("resource")).get("attributes")),)
        for scoped in mappings(resource.get(_SCOPES))
        for metric in mappings(scoped.get(_METRICS))
        if text(metric.get("name")) in wanted
        for kind, record in _records(metric)
    ]
    kept = tuple(point for point in made if point is not None)
    return Batch(points=kept, damaged=len(made) - len(kept), heard=heard(line))


def _records(metric: Json) -> Iterator[tuple[Json, Json]]:
    for name in ("sum", "gauge", "histogram"):
        kind = mapping(metric.get(name))
        for record in mappings(kind.get("dataPoints")):
            yield kind, record


def _point(metric: str, kind: Json, record: Json, resource: Mapping[str, Value]) -> Point | None:
    time = instant(record.get("timeUnixNano"))
    value = _value(record)
    number = math.nan if value is None else float(value)
    if not time or not math.isfinite(number) or number < 0:
        return None
    return Point(
        metric=metric,
        value=number,
        start=instant(record.get("startTimeUnixNano")),
        time=time,
        delta=kind.get("aggregationTemporality") in _DELTA,
        attributes=attributes(record.get("attributes")),
        resource=resource,
        total=double(record.get("sum")) or 0.0,
    )


def _value(record: Json) -> float | None:
    if "count" in record:
        return integer(record["count"])
    return integer(record.get("asInt")) if "asInt" in record else double(record.get("asDouble"))
