"""The trace that a client sends along: a parent if it is trusted, else a link."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ailoop_otel.recording.spans import EMPTY

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_HEADER: Final = b"traceparent"
# The propagator warns of longer ones in the server's log, each time; today's are of 55 characters.
_LONGEST: Final = 256


def handshake_trace(scope: Any) -> str | None:
    """The `traceparent` header of a handshake."""
    for name, value in scope.get("headers", ()):
        if name == _HEADER:
            return str(value.decode("latin-1"))
    return None


def remote_span(traceparent: Any) -> SpanContext | None:
    """The span that a `traceparent` names (W3C Trace Context); None where it is malformed."""
    if not isinstance(traceparent, str) or len(traceparent) > _LONGEST:
        return None
    context = _PROPAGATOR.extract({"traceparent": traceparent}, EMPTY)
    span_context = get_current_span(context).get_span_context()
    return span_context if span_context.is_valid else None
