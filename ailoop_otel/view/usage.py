"""Tokens and cost of a model call, an agent's work, an exchange or a session, for people and for scripts."""

from __future__ import annotations

from dataclasses import dataclass

from ailoop_otel import names, units
from ailoop_otel.recorded.records import Span


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used; None is what nobody said. `cost` is in USD, and partly `computed` from the user's prices."""

    input_tokens: float | None = None
    output_tokens: float | None = None
    cached: float | None = None
    reasoning: float | None = None
    cost: float | None = None
    computed: bool = False

    def plus(self, other: Usage) -> Usage:
        """What both used together; the cost is computed where some of it is."""
        return Usage(
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
            _sum(self.cached, other.cached),
            _sum(self.reasoning, other.reasoning),
            _sum(self.cost, other.cost),
            self.computed or other.computed,
        )

    @property
    def tokens(self) -> str:
        """Tokens in and out for a table's cell; empty if neither is known."""
        if self.input_tokens is None and self.output_tokens is None:
            return ""
        return f"{units.count(self.input_tokens)}/{units.count(self.output_tokens)}"

    @property
    def price(self) -> str:
        """The cost for a table's cell, `~` before a computed one; empty if it is not known."""
        return "" if self.cost is None else ("~" if self.computed else "") + units.dollars(self.cost)

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
        cost = [] if self.cost is None else [units.dollars(self.cost) + (" computed" if self.computed else "")]
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


def _sum(one: float | None, other: float | None) -> float | None:
    return one if other is None else other + (one or 0)
