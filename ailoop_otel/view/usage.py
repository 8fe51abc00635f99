"""Tokens and cost of a model call, an agent's work, an exchange or a session, for people and for scripts."""

from __future__ import annotations

from dataclasses import dataclass

from ailoop_otel import names
from ailoop_otel.recorded.records import Span
from ailoop_otel.view import units


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used; None is what nobody said. `cost` is in USD, and partly `computed` from the user's prices."""

    input_tokens: float | None = None
    output_tokens: float | None = None
    cached: float | None = None
    reasoning: float | None = None
    cost: float | None = None
    computed: bool = False

    def words(self) -> str:
        """In one line, empty if nothing is known: `tokens 1,210 in (900 cached), 85 out, $0.0125`."""
        tokens = (
            (self.input_tokens, "in", self.cached, "cached"),
            (self.output_tokens, "out", self.reasoning, "reasoning"),
        )
        parts = [
            f"{units.count(whole)} {word}" + (f" ({units.count(part)} {of})" if part else "")
            for whole, word, part, of in tokens
            if whole is not None
        ]
        cost = [] if self.cost is None else [f"${self.cost:.3g}" + (" computed" if self.computed else "")]
        return ", ".join([*([f"tokens {', '.join(parts)}"] if parts else []), *cost])

    def members(self) -> dict[str, object]:
        """The members of a JSON object."""
        counts = {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cached_tokens": self.cached,
            "reasoning_tokens": self.reasoning,
        }
        known: dict[str, object] = {name: None if count is None else int(count) for name, count in counts.items()}
        return known | {"cost_usd": self.cost, "cost_computed": self.computed}


def usage_of(span: Span) -> Usage:
    """What a span says was used."""

    def number(*either: str) -> float | None:
        return next((value for name in either if (value := span.number(name)) is not None), None)

    return Usage(
        number(names.GEN_AI_INPUT_TOKENS, names.USAGE_INPUT),
        number(names.GEN_AI_OUTPUT_TOKENS, names.USAGE_OUTPUT),
        number(names.GEN_AI_CACHE_READ, names.USAGE_CACHE_READ),
        number(names.GEN_AI_REASONING, names.USAGE_REASONING),
        number(names.COST),
        span.text(names.COST_SOURCE) == names.COMPUTED,
    )
