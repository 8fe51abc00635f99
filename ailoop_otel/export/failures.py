"""What of the sessions that are not sampled is exported all the same: traces in which something failed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.trace import SpanContext, StatusCode, TraceFlags

from ailoop_otel import names
from ailoop_otel.fork import begin
from ailoop_otel.unpatched import time

FAILURE: Final = "failure"
# How many traces wait for their end, and for how many ended ones what comes late is treated as the rest.
_MOST_TRACES: Final = 1000
# How many spans of one are kept: an exchange with more lacks the later ones.
_MOST_SPANS: Final = 500
_MINUTE: Final = 60.0


class FailureProcessor(SynchronousMultiSpanProcessor):
    """Holds the spans of a trace that is not sampled until its root ends, and passes them on if any has failed.

    Passed on are at most `failures` traces a minute, so that an outage does not undo the sampling. Their spans are
    marked as sampled, their root has `ailoop.sampling.reason`: among all they are not a fair share. What is sampled is
    passed on as it comes.
    """

    def __init__(
        self, processors: Sequence[SpanProcessor], failures: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        for processor in processors:
            self.add_span_processor(processor)
        self._most = failures
        self._clock = clock
        begin(self._begin)

    def _begin(self) -> None:
        self._deciding = threading.RLock()
        self._waiting: OrderedDict[int, list[ReadableSpan]] = OrderedDict()
        self._passed: OrderedDict[int, bool] = OrderedDict()  # by trace that ended: whether it was passed on
        self._left = self._most
        self._since = self._clock()

    def on_end(self, span: ReadableSpan) -> None:
        """Pass on what is sampled, and what belongs to a trace that failed; hold the rest."""
        context = span.context
        if context is None or context.trace_flags.sampled:
            super().on_end(span)
            return
        with self._deciding:
            spans = self._decide(span, context.trace_id)
        for each in spans:
            super().on_end(_sampled(each))

    def _decide(self, span: ReadableSpan, trace: int) -> Sequence[ReadableSpan]:
        is_passed = self._passed.get(trace)
        if is_passed is not None:
            return [span] if is_passed else ()
        held = self._waiting.setdefault(trace, [])
        is_root = _is_root(span)
        if is_root or len(held) < _MOST_SPANS:
            held.append(span)
        if not is_root:
            _forget_oldest(self._waiting)
            return ()
        del self._waiting[trace]
        failed = any(each.status.status_code is StatusCode.ERROR for each in held)
        self._passed[trace] = is_kept = failed and self._has_budget()
        _forget_oldest(self._passed)
        return held if is_kept else ()

    def _has_budget(self) -> bool:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._since) / _MINUTE * self._most)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _is_root(span: ReadableSpan) -> bool:
    return span.parent is None or span.parent.is_remote


def _forget_oldest(traces: OrderedDict[int, Any]) -> None:
    if len(traces) > _MOST_TRACES:
        traces.popitem(last=False)


def _sampled(span: ReadableSpan) -> ReadableSpan:
    own = span.context
    context = SpanContext(
        own.trace_id, own.span_id, own.is_remote, TraceFlags(own.trace_flags | TraceFlags.SAMPLED), own.trace_state
    )
    attributes = dict(span.attributes or {})
    if _is_root(span):
        attributes[names.SAMPLING_REASON] = FAILURE
    return ReadableSpan(
        span.name, context, span.parent, span.resource, attributes, span.events, span.links, span.kind, None,
        span.status, span.start_time, span.end_time, span.instrumentation_scope,
    )  # fmt: skip
