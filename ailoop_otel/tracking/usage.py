"""What answering takes: tokens, cost, and calls of models and tools; summed over a message, a session, an agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.trace import Span

from ailoop_otel import names
from ailoop_otel.recording.spans import context_of
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes, Telemetry, failure

CURRENCY: Final = "USD"


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
        if self.cost_source != names.COMPUTED:
            self.cost_source = other.cost_source or self.cost_source

    def attributes(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """What is known of the `fields`, each under its name on a span, and the cost."""
        known = {name: getattr(self, field) for name, field in fields.items()}
        if self.cost is not None:
            known |= {names.COST: self.cost, names.COST_CURRENCY: CURRENCY, names.COST_SOURCE: self.cost_source}
        return {name: value for name, value in known.items() if value is not None}


OF_AGENT: Final = {names.GEN_AI_INPUT_TOKENS: "input_tokens", names.GEN_AI_OUTPUT_TOKENS: "output_tokens"}
OF_CALL: Final = OF_AGENT | {
    names.GEN_AI_CACHE_READ: "cache_read",
    names.GEN_AI_CACHE_WRITE: "cache_write",
    names.GEN_AI_REASONING: "reasoning",
}
# Of a message or a session.
OF_ALL: Final = {
    names.USAGE_INPUT: "input_tokens",
    names.USAGE_OUTPUT: "output_tokens",
    names.USAGE_CACHE_READ: "cache_read",
    names.USAGE_CACHE_WRITE: "cache_write",
    names.USAGE_REASONING: "reasoning",
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
        known = failure(error)
        telemetry.agent_duration.record((end - self._began) / SECOND, labels | known, context)
        attributes |= known | self.usage.attributes(OF_AGENT)
        telemetry.end_span(self.span, end + self._offset, attributes, error is not None)
