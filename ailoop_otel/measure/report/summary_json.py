"""The summary for programs, `summary.json`, and strict JSON of any value.

    format      1; a change that breaks a reader makes it 2
    context     scenario, source, started_at, duration (seconds), machine, versions, settings, server, load,
                levels (of a ramp, as in levels.csv), notes, jaeger
    method      how percentiles are computed, a sentence
    metrics     a list, one entry per metric, and one more per label where a metric has several:
                metric, label ("" for all of a metric), title, definition, unit (UCUM), shown_in (the unit of
                the other formats), each, better,
                n (successes), failures, missing, mean, min, p50, p90, p95, p99, max (failures left out),
                with_failures {p50, p90, p95, p99, max} (each failure as infinitely slow)
    requests    exchanges, failed, per_1000
    errors      a list: what ("exchanges", "sessions", "steps"), kind, count, total, per_1000
    worst       a list: exchange, session (null for an unknown number), at, outcome, first_chunk, completion,
                longest_gap (seconds), trace_id, link ("" without Jaeger)
    warmup      number of observations of the warm-up, which are in no figure
    judgement   null, or verdict ("pass", "fail", "inconclusive", "not judged"), method, notes,
                rows (metric, unit, figure, value, low, high, target, reference, change,
                change_low, change_high, allowed, n, reference_n, against, verdict, reason)

It is strict JSON: null is a value that was not observed or does not exist, and infinity is the string "+inf" ("-inf").
All values are in `unit`, as OpenTelemetry has them; the other formats show each metric in its `shown_in`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any, Final

from ailoop_otel.measure.report.contents import Report, Row
from ailoop_otel.measure.report.exchanges import Exchange, trace_link
from ailoop_otel.measure.statistics.percentiles import METHOD

FORMAT: Final = 1


def document(report: Report) -> dict[str, Any]:
    """The summary as an object of strict JSON."""
    summary: dict[str, Any] = strict(
        {
            "format": FORMAT,
            "context": asdict(report.context) | {"notes": report.notes},
            "method": METHOD,
            "metrics": [_metric(row) for row in report.rows],
            "requests": {
                "exchanges": len(report.exchanges),
                "failed": report.failed,
                "per_1000": 1000 * report.failed / len(report.exchanges) if report.exchanges else None,
            },
            "errors": [
                {"what": each.what, "kind": each.outcome, "count": each.count, "total": each.total,
                 "per_1000": each.per_thousand}
                for each in report.failures
            ],
            "worst": [_worst(each, report.context.jaeger) for each in report.worst],
            "warmup": report.warmup,
            "judgement": None,
        }
    )  # fmt: skip
    if judgement := report.judgement:
        rows = [asdict(row) | {"against": row.against} for row in judgement.rows]
        summary["judgement"] = strict(asdict(judgement) | {"rows": rows})
    return summary


def strict(value: Any) -> Any:
    """A value as strict JSON: null for NaN, "+inf" and "-inf" for infinity, `str(value)` for what JSON lacks."""
    if isinstance(value, Mapping):
        return {str(key): strict(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(each) for each in value]
    if isinstance(value, Enum):
        return strict(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "+inf" if value > 0 else "-inf"
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


def _metric(row: Row) -> dict[str, Any]:
    of = row.definition
    about = {"metric": of.name, "label": row.label, "title": of.title, "definition": of.text, "unit": of.unit,
             "shown_in": of.shown_in, "each": of.each, "better": of.better}  # fmt: skip
    return about | asdict(row.summary)


def _worst(each: Exchange, jaeger: str) -> dict[str, Any]:
    numbers = {"exchange": each.number, "session": each.session}
    known = {name: number if number >= 0 else None for name, number in numbers.items()}
    names = ("at", "outcome", "first_chunk", "completion", "longest_gap", "trace_id")
    return known | {name: getattr(each, name) for name in names} | {"link": trace_link(jaeger, each.trace_id)}
