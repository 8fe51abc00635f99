"""The output of `--json`: one JSON object a line, times in ISO 8601 UTC, durations in seconds in members `…_s`."""

from __future__ import annotations

import json
import math
from pathlib import Path

from rich.console import Console

from ailoop_otel import units
from ailoop_otel.recorded.files import ReadCounts
from ailoop_otel.recorded.otlp_json import Value
from ailoop_otel.recorded.records import LogEvent, Span
from ailoop_otel.view.exchanges import Calls, Exchange, Session, Timeout, Totals


def write(console: Console, *documents: dict[str, object]) -> None:
    """Write documents as lines of ASCII JSON, at once."""
    console.file.writelines(json.dumps(document, allow_nan=False) + "\n" for document in documents)
    console.file.flush()


def session(record: Session) -> dict[str, object]:
    """A session; `end` is null while it is open, and that of its server where nothing else ended it."""
    return {
        "kind": "session",
        "session_id": record.session_id,
        "trace_id": record.trace_id or None,
        "start": units.timestamp(record.started),
        "end": units.timestamp(record.ended or record.lost),
        "duration_s": record.seconds if record.started else None,
        "turns": record.turns,
        "errors": record.errors,
        "state": "ended" if record.ended or record.lost else "open",
        "end_reason": record.end_reason or ("server_ended" if record.lost else None),
        "resumed": record.resumed,
        **record.usage.members(),
    }


def exchange(record: Exchange) -> dict[str, object]:
    """An exchange; while it is open `outcome` is `open` and `end` is null. `server_ended` is when it was lost so."""
    return {
        "kind": "exchange",
        "trace_id": record.trace_id,
        "span_id": record.span_id or None,
        "session_id": record.session_id or None,
        "start": units.timestamp(record.start),
        "end": None if record.open else units.timestamp(record.end),
        "outcome": record.outcome,
        "server_ended": units.timestamp(record.lost),
        "error_type": record.error_type or None,
        "first_chunk_s": record.first_chunk,
        "duration_s": record.seconds,
        "chunks": None if record.chunks is None else int(record.chunks),
        "max_gap_s": record.max_gap,
        "timeouts": record.timeouts,
        "recovered": record.recovered,
        "mostly": record.mostly or None,
        "agent": record.agent or None,
        "model": record.model or None,
        **record.usage.members(),
    }


def timeout(record: Timeout) -> dict[str, object]:
    """An AI timeout; `ending` is `open`, `recovered` or the exchange's outcome."""
    return {
        "kind": "timeout",
        "trace_id": record.exchange.trace_id,
        "session_id": record.exchange.session_id or None,
        "phase": record.phase,
        "noticed": units.timestamp(record.noticed),
        "deadline_s": record.deadline,
        "detection_delay_s": record.delay,
        "waiting_for": record.waiting_for or None,
        "ending": record.ending,
    }


def calls(record: Calls) -> dict[str, object]:
    """All calls of one JSON-RPC method that start no exchange."""
    return {
        "kind": "calls",
        "method": record.method,
        "count": record.durations.count,
        "errors": record.errors,
        "p50_s": record.durations.percentile(0.5),
        "max_s": record.durations.largest,
    }


def span(record: Span) -> dict[str, object]:
    """One span of a waterfall."""
    return {
        "kind": "span",
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "parent_id": record.parent_id or None,
        "name": record.name,
        "start": units.timestamp(record.start),
        "duration_s": record.seconds,
        "error": record.error,
        "attributes": {name: _value(value) for name, value in record.attributes.items()},
    }


def event(record: LogEvent) -> dict[str, object]:
    """One log event of a trace."""
    return {
        "kind": "event",
        "trace_id": record.trace_id,
        "span_id": record.span_id or None,
        "name": record.name,
        "time": units.timestamp(record.time),
        "attributes": {name: _value(value) for name, value in record.attributes.items()},
    }


def server(event: LogEvent) -> dict[str, object]:
    """A start or stop of the server."""
    return {"kind": "server", "event": event.name, "time": units.timestamp(event.time)}


def totals(record: Totals, open_exchanges: int, counts: ReadCounts, paths: list[Path]) -> dict[str, object]:
    """Counts over everything that was read, and what could not be read."""
    return {
        "kind": "totals",
        "outcomes": dict(record.outcomes),
        "open": open_exchanges,
        "sessions": record.sessions,
        "sessions_ended": record.sessions_ended,
        "timeouts": record.timeouts,
        "spans": record.spans,
        "first_chunk_p50_s": record.first_chunks.percentile(0.5) if record.first_chunks.count else None,
        "duration_p50_s": record.durations.percentile(0.5) if record.durations.count else None,
        **record.usage.members(),
        "skipped_lines": counts.skipped,
        "backwards": counts.backwards,
        "half_written": counts.half_written,
        "unreadable": counts.unreadable,
        "files": [str(path) for path in paths],
    }


def _value(value: Value) -> object:
    if isinstance(value, tuple):
        return [_value(member) for member in value]
    # JSON has no NaN and no infinities.
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)
