"""Lines of OTLP JSON that are almost right: whole exports of AILoop's in which anything may stand in any place."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as some

from ailoop_otel import names

TRACE, ROOT, SECOND = "ab" * 16, "cd" * 8, 1_000_000_000
BEGIN = 1_763_820_000 * SECOND
NUMBERS = ["Infinity", "-Infinity", "NaN", -1, 2**63, -(2**63), 10**400, "9" * 401, 1e308, 0.5, True, "1e5", " 1 "]
TEXTS = ["", "[/]", "[red]x", ":smile:", "=1+1", "\x1b[31m", "\ud800", "x" * 3000, "a\nb", "\u202e", "a" * 24, "%s{}"]
SCALARS = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=6)
ODD = some.sampled_from(NUMBERS) | some.sampled_from(TEXTS) | SCALARS
ANYTHING = some.recursive(
    ODD,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
VALUES = some.dictionaries(
    some.sampled_from(["stringValue", "intValue", "doubleValue", "boolValue", "arrayValue", "bytesValue"]),
    ODD | some.fixed_dictionaries({"values": some.lists(some.dictionaries(some.just("doubleValue"), ODD), max_size=2)}),
    min_size=1,
    max_size=2,
)
ATTRIBUTES = some.lists(
    some.fixed_dictionaries(
        {"key": some.sampled_from([attribute.name for attribute in names.ATTRIBUTES]) | ODD, "value": VALUES | ODD}
    ),
    max_size=4,
)
SPAN_NAMES = [
    "sendUserMessage", "echo", names.SPAN_FIRST_CHUNK, names.SPAN_STREAM, names.SPAN_AI_TIMEOUT, names.SPAN_SESSION,
    names.SPAN_SESSION_START, "chat x",
]  # fmt: skip
METRICS = [
    names.METRIC_MEMORY_USAGE, names.METRIC_CPU_TIME, names.METRIC_SESSION_ACTIVE, names.METRIC_EXCHANGE_DURATION
]  # fmt: skip
CHANGES = some.lists(some.tuples(some.integers(0, 200), ANYTHING), max_size=3)


@some.composite
def spans(draw: some.DrawFn) -> dict[str, Any]:
    """A span of an exchange or of a session."""
    root = draw(some.booleans())
    start, length = draw(some.integers(0, 100)), draw(some.integers(-1, 40))
    fixed = [{"key": names.OUTCOME, "value": {"stringValue": draw(some.sampled_from(["ok", "cut", "ai_error"]))}}]
    return {
        "traceId": draw(some.sampled_from([TRACE, TRACE.replace("a", "f"), "q83vq83vq83vq83vq83vqw=="])),
        "spanId": ROOT if root else draw(some.sampled_from(["01" * 8, "02" * 8, ROOT])),
        "parentSpanId": "" if root else draw(some.sampled_from([ROOT, "01" * 8, "02" * 8])),
        "name": "sendUserMessage" if root else draw(some.sampled_from(SPAN_NAMES)),
        "kind": 2 if root else draw(some.integers(0, 5)),
        "startTimeUnixNano": str(BEGIN + start * SECOND),
        "endTimeUnixNano": str(BEGIN + (start + length) * SECOND),
        "attributes": [*(fixed if root else []), *draw(ATTRIBUTES)],
        "status": {"code": draw(some.integers(0, 3))},
        "links": [{"traceId": TRACE, "spanId": "01" * 8}],
    }


@some.composite
def metrics(draw: some.DrawFn) -> dict[str, Any]:
    """A metric that a report reads."""
    point = {
        "timeUnixNano": str(BEGIN + draw(some.integers(0, 100)) * SECOND),
        "startTimeUnixNano": str(BEGIN),
        draw(some.sampled_from(["asInt", "asDouble", "count"])): draw(some.integers(0, 10**9).map(str) | ODD),
        "attributes": draw(ATTRIBUTES),
    }
    kind = draw(some.sampled_from(["sum", "gauge", "histogram"]))
    return {"name": draw(some.sampled_from(METRICS)).name, kind: {"dataPoints": [point] * draw(some.integers(0, 12))}}


def _export(outer: str, middle: str, inner: str, records: list[Any]) -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "ailoop"}}]}
    scope = {"scope": {"name": names.SCOPE}, inner: records}
    return {outer: [{"resource": resource, middle: [scope]}]}


EXPORTS = (
    some.lists(spans(), min_size=1, max_size=5).map(lambda made: _export("resourceSpans", "scopeSpans", "spans", made))
    | some.lists(metrics(), max_size=3).map(lambda made: _export("resourceMetrics", "scopeMetrics", "metrics", made))
    | some.sampled_from([names.EVENT_SERVER_START, names.EVENT_SERVER_STOP, "x"]).map(
        lambda name: _export(
            "resourceLogs", "scopeLogs", "logRecords", [{"timeUnixNano": str(BEGIN), "eventName": name}]
        )
    )
)


@some.composite
def lines(draw: some.DrawFn) -> bytes:
    """An export in which some places hold anything, cut, doubled or whole, with or without its line break."""
    export = draw(EXPORTS)
    for place, anything in draw(CHANGES):
        _replace(export, place, anything)
    line = json.dumps(export).encode()
    form = draw(some.integers(0, 9))
    if form == 0:
        line = line[: draw(some.integers(0, len(line)))]
    elif form == 1:
        line = line[: draw(some.integers(0, len(line)))] + line
    return line + draw(some.sampled_from([b"\n", b"\n", b"\n", b""]))


def _replace(root: Any, number: int, anything: Any) -> None:
    """Put something into the place of this number, counted in the order of the document."""
    places: list[tuple[Any, Any]] = []
    pending = [root]
    while pending:
        holder = pending.pop(0)
        keys = range(len(holder)) if isinstance(holder, list) else list(holder)
        for key in keys:
            places.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                pending.append(holder[key])
    holder, key = places[number % len(places)]
    holder[key] = anything


SEEDS = tuple(
    json.dumps(_export(*members, records)).encode()
    for members, records in (
        (
            ("resourceSpans", "scopeSpans", "spans"),
            [
                {
                    "traceId": TRACE, "spanId": ROOT, "name": "sendUserMessage", "kind": 2,
                    "startTimeUnixNano": str(BEGIN), "endTimeUnixNano": str(BEGIN + SECOND), "status": {"code": 2},
                    "attributes": [
                        {"key": names.OUTCOME, "value": {"stringValue": "ok"}},
                        {"key": names.STREAM_CHUNKS, "value": {"intValue": "3"}},
                        {"key": names.STREAM_MAX_GAP, "value": {"doubleValue": 0.5}},
                    ],
                }
            ],
        ),
        (
            ("resourceMetrics", "scopeMetrics", "metrics"),
            [{"name": METRICS[0].name, "sum": {"dataPoints": [{"timeUnixNano": "7", "asInt": "5"}]}}],
        ),
        (("resourceLogs", "scopeLogs", "logRecords"), [{"timeUnixNano": "1", "eventName": "ailoop.server.start"}]),
    )
)  # fmt: skip
