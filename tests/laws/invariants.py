"""What holds of everything that was recorded, whatever happened."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Set
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from ailoop_otel import names
from ailoop_otel.protocol.foreign import harmless
from ailoop_otel.protocol.registry import DIALECTS as KNOWN
from tests.recorder import Recording

OUTCOMES = {name.name for name in names.OUTCOMES}
DIALECTS = {"stateless", "delegates", "mixed", "unknown"}
CODES = {str(code) for code in range(-32768, -31999)}
# The values that a label may have.
LABELS: dict[str, Set[str]] = {
    names.DIALECT: DIALECTS,
    names.OUTCOME: OUTCOMES,
    names.ERROR_TYPE: OUTCOMES | CODES | {"ServerFailed"},
    names.RPC_METHOD: KNOWN.methods | {names.OTHER},
    names.RPC_STATUS: CODES,
    names.RPC_SYSTEM: {"jsonrpc"},
    names.TIMEOUT_PHASE: {"first_chunk", "stall", "total"},
    names.SESSION_END_REASON: {"stopped", "disconnected", "error", "server_shutdown", "evicted"},
}


# What somebody else invents.
INVENTED = {names.SESSION_ID, names.RPC_METHOD_ORIGINAL, names.JSONRPC_ID, names.CLIENT_ADDRESS}


class Started(SpanProcessor):
    """Counts the spans that were started, and those that were ended."""

    def __init__(self) -> None:
        self.open = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """One more."""
        self.open += 1

    def on_end(self, span: ReadableSpan) -> None:
        """One less."""
        self.open -= 1


class Complaints(logging.Handler):
    """What OpenTelemetry has to say of how it is used in this thread: nothing. Others are other tests'."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


def check_spans(recording: Recording) -> None:
    """None is without length, children lie within their parents, and all can be exported."""
    spans = {span.context.span_id: span for span in recording.spans()}
    assert len(spans) == len(recording.spans()), "a span was ended twice"
    for span in spans.values():
        start, end = span.start_time or 0, span.end_time or 0
        assert end - start >= 1000, span.name
        parent = spans.get(span.parent.span_id) if span.parent is not None and not span.parent.is_remote else None
        if parent is not None and span.name != names.SPAN_SESSION:
            assert (parent.start_time or 0) <= start, span.name
            assert end <= (parent.end_time or 0), span.name
        invented = [value for key, value in (span.attributes or {}).items() if key in INVENTED]
        assert all(map(harmless, invented)), invented
    encode_spans(recording.spans()).SerializeToString()
    encode_logs(recording._logs.get_finished_logs()).SerializeToString()


def check_exchanges(recording: Recording) -> None:
    """Each ended once, with one outcome; each phase of its silence was told at most once."""
    ended = [span for span in recording.spans("sendUserMessage") if names.OUTCOME in (span.attributes or {})]
    counted = (_count(recording, metric) for metric in ("ailoop.exchange.duration", "ailoop.command.duration"))
    assert sum(counted) == len(ended)
    assert all((span.attributes or {})[names.OUTCOME] in OUTCOMES for span in ended)
    firsts = Counter(span.parent.span_id for span in recording.spans(names.SPAN_FIRST_CHUNK) if span.parent)
    assert set(firsts.values()) <= {1}
    told = Counter(
        (span.parent.span_id, (span.attributes or {})[names.TIMEOUT_PHASE])
        for span in recording.spans(names.SPAN_AI_TIMEOUT)
        if span.parent is not None
    )
    assert set(told.values()) <= {1}
    assert len(recording.events(names.EVENT_AI_TIMEOUT)) == sum(told.values())


def check_sessions(recording: Recording) -> None:
    """Each that began has ended."""
    ids = [Counter((s.attributes or {})[names.SESSION_ID] for s in recording.spans(name)) for name in _SESSIONS]
    assert ids[0] == ids[1]
    assert len(recording.events(names.EVENT_SESSION_START)) == len(recording.events(names.EVENT_SESSION_END))


_SESSIONS = (names.SPAN_SESSION_START, names.SPAN_SESSION)


def check_metrics(recording: Recording) -> None:
    """What is active is nothing, and no label has a value that is not one of a few."""
    for metric in ("exchange", "session", "connection"):
        assert recording.total(f"ailoop.{metric}.active") == 0, metric
    for metric in names.METRICS:
        for point in recording.points(metric.name):
            for label, value in point.labels.items():
                assert value in LABELS[label], (metric.name, label, value)


def _count(recording: Recording, metric: str) -> Any:
    return sum(point.count for point in recording.points(metric))
