"""What answering takes: tokens, cost, and calls of models and tools; summed over a message, a session, an agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.trace import Span

from ailoop_otel import names
from ailoop_otel.recording.spans import context_of
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes, Telemetry

CURRENCY: Final = "USD"
PROVIDER: Final = "provider"
COMPUTED: Final = "computed"


@dataclass
class Usage:
    """Tokens and cost of model calls; None is what no provider has said. Cost is in `CURRENCY`."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    cost: float | None = None
    cost_source: str | None = None

    def add(self, other: Usage) -> None:
        """Add what other calls used; the cost is computed where some of it is."""
        for field in _SUMMED:
            if (more := getattr(other, field)) is not None:
                setattr(self, field, (getattr(self, field) or 0) + more)
        if self.cost_source != COMPUTED:
            self.cost_source = other.cost_source or self.cost_source

    def attributes(self, *, parts: bool = True) -> dict[str, Any]:
        """The attributes of a span; without `parts` none of what the totals are made of."""
        known = {name: getattr(self, field) for name, field in (_TOTALS | _PARTS if parts else _TOTALS).items()}
        if self.cost is not None:
            known[names.COST_CURRENCY] = CURRENCY
        return {name: value for name, value in known.items() if value is not None}


_TOTALS: Final = {
    names.GEN_AI_INPUT_TOKENS: "input_tokens",
    names.GEN_AI_OUTPUT_TOKENS: "output_tokens",
    names.COST: "cost",
    names.COST_SOURCE: "cost_source",
}
_PARTS: Final = {
    names.GEN_AI_CACHE_READ: "cache_read",
    names.GEN_AI_CACHE_WRITE: "cache_write",
    names.GEN_AI_REASONING: "reasoning",
}
_SUMMED: Final = ("input_tokens", "output_tokens", "cache_read", "cache_write", "reasoning", "cost")


class AgentWork:
    """What one agent does for one message, or for one task in the background; `name` is the agent's, `span` its span.

    `began` is monotonic nanoseconds, and `offset` takes it to the epoch.
    """

    __slots__ = ("_began", "_offset", "inference_calls", "name", "span", "tool_calls", "usage")

    def __init__(self, name: str, span: Span, began: int, offset: int) -> None:
        self.name = name
        self.span = span
        self._began = began
        self._offset = offset
        self.inference_calls = 0
        self.tool_calls = 0
        self.usage = Usage()

    def end(self, telemetry: Telemetry, error: str | None, attributes: Attributes) -> None:
        """End its span with these attributes, and record its metrics."""
        telemetry.defer(self._record, telemetry, telemetry.clock.now(), error, attributes)

    def _record(self, telemetry: Telemetry, now: int, error: str | None, attributes: Attributes) -> None:
        context = context_of(self.span)
        labels: Attributes = {names.GEN_AI_AGENT_NAME: self.name}
        telemetry.agent_inferences.record(self.inference_calls, labels, context)
        telemetry.agent_tools.record(self.tool_calls, labels, context)
        end = max(now, self._began + SHORTEST)
        failure = {} if error is None else {names.ERROR_TYPE: error}
        telemetry.agent_duration.record((end - self._began) / SECOND, labels | failure, context)
        attributes |= failure | self.usage.attributes(parts=False)
        telemetry.end_span(self.span, end + self._offset, attributes, error is not None)
