"""Where an exchange's time went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ailoop_otel import names
from ailoop_otel.recorded.records import Span
from ailoop_otel.view import units

MODEL: Final = "model"
TOOLS: Final = "tools"
SERVER: Final = "server"
LAG: Final = "lag"
# Less is not worth a word.
_LEAST: Final = 0.0005  # seconds
_PARTS: Final = (names.TIME_MODEL_WAIT, names.TIME_MODEL_STREAM, names.TIME_TOOLS, names.TIME_SERVER)


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one exchange; the event loop's lag is within the others, `blocked_by` is empty where nobody did."""

    wait: float
    stream: float
    tools: float
    server: float
    lag: float
    blocked_by: str
    blocked: float

    @property
    def culprit(self) -> str:
        """What took most of it; the event loop where it was late for half of the time and no tool of one's own ran."""
        shares = {MODEL: self.wait + self.stream, TOOLS: self.tools, SERVER: self.server}
        largest = max(shares, key=lambda part: shares[part])
        if largest != TOOLS and self.lag >= max(_LEAST, sum(shares.values()) / 2):
            return LAG
        return largest if shares[largest] >= _LEAST else ""

    def words(self) -> Iterator[str]:
        """The parts that are worth a word."""
        parts = ((self.wait, "waiting"), (self.stream, "streaming"))
        model = " + ".join(f"{units.duration(seconds)} {word}" for seconds, word in parts if seconds >= _LEAST)
        if model:
            yield f"model {model}"
        for label, seconds in (("tools", self.tools), ("server", self.server), ("loop late", self.lag)):
            if seconds >= _LEAST:
                yield f"{label} {units.duration(seconds)}"
        if self.blocked_by:
            yield f"frozen {units.duration(self.blocked)} by {self.blocked_by}"


def spent(span: Span) -> Spent | None:
    """What an exchange's root tells of it; None where the inside of the server was not seen."""
    if not any(name in span.attributes for name in _PARTS):
        return None
    wait, stream, tools, server = (max(0.0, span.number(name) or 0.0) for name in _PARTS)
    lag, blocked = (max(0.0, span.number(name) or 0.0) for name in (names.TIME_LOOP_LAG, names.BLOCKED_TIME))
    return Spent(wait, stream, tools, server, lag, span.text(names.BLOCKED_BY), blocked)
