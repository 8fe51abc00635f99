"""One message and its answer as the client sees them. `protocol.answer` reads the frames, as on the server's side."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from ailoop_otel.protocol import answer
from ailoop_otel.protocol.answer import DISCONNECTED, OK, Answer

CLIENT_TIMEOUT: Final = "client_timeout"
REFUSED: Final = "refused"
OWN_LIMIT: Final = "generator_limit"
"""Not the server refused a session: the load generator's own system did not let one be opened."""
OUTCOMES: Final = (*answer.OUTCOMES, CLIENT_TIMEOUT, REFUSED, OWN_LIMIT)

__all__ = ["CLIENT_TIMEOUT", "DISCONNECTED", "OK", "OUTCOMES", "OWN_LIMIT", "REFUSED", "Message"]


class Message(Answer[float]):
    """A message from the moment it was planned until its answer is complete, or the client no longer waits.

    Times are seconds of `time.perf_counter()`; 0 stands for a moment that has not come. `gaps` are the seconds between
    chunks, `abandoned` the outcome that the client decided itself, `session_id` the session that it was sent to.
    """

    __slots__ = (
        "abandoned", "acknowledged", "completed", "on_end", "planned", "sent", "session_id", "span_id", "trace_id",
    )  # fmt: skip

    gaps: list[float]

    def __init__(self, planned: float) -> None:
        super().__init__(0.0, gaps=[])
        self.planned = planned
        self.trace_id = secrets.token_hex(16)
        self.span_id = secrets.token_hex(8)
        self.session_id = ""
        self.sent = 0.0
        self.acknowledged = 0.0
        self.completed = 0.0
        self.abandoned: str | None = None
        self.on_end: Callable[[Message], None] = _nobody

    @property
    def traceparent(self) -> str:
        """The trace context that travels with it (W3C Trace Context), sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    @property
    def ended(self) -> bool:
        """Whether nothing more is waited for."""
        return bool(self.completed) or bool(self.left) or self.abandoned is not None

    @property
    def first_chunk(self) -> float:
        """When the first chunk came; 0 where none did, or it is not known which frame it was."""
        return self.first if self.knows_first else 0.0

    @property
    def outcome(self) -> str:
        """One of `OUTCOMES`."""
        return self.abandoned if self.abandoned is not None else super().outcome

    # --- The end -------------------------------------------------------------------------------------------
    def end(self, now: float) -> None:
        """The answer is complete, or the server reported that it failed."""
        if not self.ended:
            self.completed = now
            self.on_end(self)

    def lose(self, now: float) -> None:
        """The connection ended first."""
        if not self.ended:
            self.left = now
            self.on_end(self)

    def abandon(self, outcome: str) -> None:
        """The client waits no longer, or could never send it."""
        if not self.ended:
            self.abandoned = outcome
            self.on_end(self)


def _nobody(message: Message) -> None:
    return None
