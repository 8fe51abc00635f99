"""Sampling by session: a conversation is exported whole or not at all.

OpenTelemetry's own variables name it, also where another distribution sets the SDK up:

    OTEL_TRACES_SAMPLER=ailoop_session
    OTEL_TRACES_SAMPLER_ARG=0.1                      a tenth of the sessions
    OTEL_TRACES_SAMPLER_ARG=share=0.1,failures=30    and of the others 30 traces a minute that failed; without it 60

Metrics and log events know nothing of it: they are of all sessions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span

from ailoop_otel import names
from ailoop_otel.guard import warn

NAME: Final = "ailoop_session"
SHARE, FAILURES = "share", "failures"
_DEFAULTS: Final = {SHARE: 1.0, FAILURES: 60.0}
_MOST: Final = {SHARE: 1.0, FAILURES: 1e6}
_ALL: Final = 1 << 64


class SessionSampler(Sampler):
    """Samples a `share` of the sessions by a hash of their id: the same ones in each process, and after a restart.

    A trace without a session is sampled by its id, as OpenTelemetry's `TraceIdRatioBased` does it. What is not sampled
    is recorded, so that a trace that fails can still be exported: up to `failures` a minute (`export.failures`).
    """

    def __init__(self, share: float = _DEFAULTS[SHARE], failures: float = _DEFAULTS[FAILURES]) -> None:
        self.share = share
        self.failures = failures
        self._bound = round(share * _ALL)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """As the parent was decided; a trace without one by its session."""
        parent = get_current_span(parent_context).get_span_context()
        if parent.is_valid:
            is_sampled = parent.trace_flags.sampled
        else:
            session = (attributes or {}).get(names.SESSION_ID)
            is_sampled = (trace_id % _ALL if session is None else _number(str(session))) < self._bound
        decision = Decision.RECORD_AND_SAMPLE if is_sampled else Decision.RECORD_ONLY
        return SamplingResult(decision, attributes, parent.trace_state if parent.is_valid else trace_state)

    def get_description(self) -> str:
        """For logs."""
        return f"{NAME}{{{self.share:g}}}"


def _number(session: str) -> int:
    return int.from_bytes(hashlib.sha256(session.encode("utf-8", "replace")).digest()[:8], "big")


def from_argument(argument: str | None) -> SessionSampler:
    """The sampler that `OTEL_TRACES_SAMPLER_ARG` describes; one line names what cannot be used, which is left out.

    The SDK calls it, by the entry point `ailoop_session`.
    """
    values = dict(_DEFAULTS)
    for part in (argument or "").split(","):
        name, _, text = part.rpartition("=")
        name = name.strip() or SHARE
        try:
            value = float(text) if part.strip() else values[name]
            if not 0 <= value <= _MOST[name]:
                raise ValueError
        except (ValueError, KeyError):
            warn(
                f"OTEL_TRACES_SAMPLER_ARG={argument!r}: {part.strip()!r} is ignored. Write a share of the sessions "
                f"from 0 to 1, such as 0.1, or {SHARE}=0.1,{FAILURES}=30."
            )
        else:
            values[name] = value
    return SessionSampler(values[SHARE], values[FAILURES])
