"""Where an exchange's time went, as far as the inside of the server tells."""

from __future__ import annotations

from ailoop_otel import names
from ailoop_otel.recording.telemetry import SECOND, Attributes


class Spent:
    """Sums of nanoseconds of one exchange. `lag_before` is the event loop's lag when it began."""

    __slots__ = ("blocked", "blocked_by", "lag_before", "model_stream", "model_wait", "tools")

    def __init__(self) -> None:
        self.model_wait = 0
        self.model_stream = 0
        self.tools = 0
        self.lag_before = 0
        self.blocked = 0
        self.blocked_by: str | None = None

    def attributes(self, duration: int, lag: int) -> Attributes:
        """What is told of it on the exchange: all in seconds; `lag` is the event loop's up to now."""
        own = max(0, duration - self.model_wait - self.model_stream - self.tools)
        attributes: Attributes = {
            names.TIME_MODEL_WAIT: self.model_wait / SECOND,
            names.TIME_MODEL_STREAM: self.model_stream / SECOND,
            names.TIME_TOOLS: self.tools / SECOND,
            names.TIME_SERVER: own / SECOND,
            names.TIME_LOOP_LAG: max(0, lag - self.lag_before) / SECOND,
        }
        if self.blocked_by is not None:
            attributes[names.BLOCKED_BY] = self.blocked_by
            attributes[names.BLOCKED_TIME] = self.blocked / SECOND
        return attributes
