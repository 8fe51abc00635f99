"""One message and its answer as the client sees them, and what is observed of it.

`protocol.answer` reads the frames, as on the server's side.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation, Phase, observed
from ailoop_otel.protocol import answer
from ailoop_otel.protocol.answer import AI_ERROR, AI_TIMEOUT, CUT, NO_ANSWER, OK, Answer

CLIENT_TIMEOUT: Final = "client_timeout"
REFUSED: Final = "refused"
OWN_LIMIT: Final = "generator_limit"
"""Not the server refused a session: the load generator's own system did not let one be opened."""
OUTCOMES: Final = (*answer.OUTCOMES, CLIENT_TIMEOUT, REFUSED, OWN_LIMIT)
# The outcomes by which a server reports to its client that there will be no answer.
_REPORTED_FAILURES: Final = frozenset({AI_TIMEOUT, AI_ERROR, NO_ANSWER, CUT})


@dataclass(frozen=True, slots=True)
class Place:
    """The position of observations in their run; `origin` is the start of the run (`time.perf_counter()`)."""

    origin: float
    phase: Phase = "run"
    session: int = -1
    exchange: int = -1
    label: str = ""
    process: int = 0

    def observed(
        self, definition: Definition, value: float, moment: float, outcome: str = OK, trace_id: str = ""
    ) -> Observation:
        """An observation here, at a moment (`time.perf_counter()`)."""
        return observed(
            definition, value, moment - self.origin, outcome=outcome, phase=self.phase, session=self.session,
            exchange=self.exchange, trace_id=trace_id, label=self.label, process=self.process,
        )  # fmt: skip


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

    def since_planned(self, moment: float) -> float:
        """Seconds from when it was planned to a moment; NaN where that has not come."""
        return moment - self.planned if moment else math.nan

    def observations(self, place: Place, *, expects_timeout: bool = False) -> list[Observation]:
        """The observations of it, when it has ended.

        With `expects_timeout` the AI is not supposed to answer in time: any failure that the server reports counts as
        the report of the timeout.
        """
        outcome, completed = self.outcome, self.since_planned(self.completed)
        rows: list[Observation] = []

        def add(definition: Definition, value: float, outcome: str) -> None:
            rows.append(place.observed(definition, value, self.planned, outcome, self.trace_id))

        if self.command and outcome == OK:
            add(definitions.COMMAND, completed, OK)
        else:
            add(definitions.FIRST_CHUNK, self.since_planned(self.first_chunk), outcome)
            add(definitions.COMPLETION, completed, outcome)
        # Sending and acknowledgement did not fail, whatever the outcome of the answer is.
        if self.sent:
            add(definitions.SEND_DELAY, max(0.0, self.since_planned(self.sent)), OK)
        if self.acknowledged:
            add(definitions.ACKNOWLEDGEMENT, self.acknowledged - self.sent, OK)
        if self.gaps and self.knows_stream:
            add(definitions.LONGEST_GAP, max(self.gaps), outcome)
        if self.completed and (outcome == AI_TIMEOUT or (expects_timeout and outcome in _REPORTED_FAILURES)):
            add(definitions.TIMEOUT_TOLD, completed, outcome)
        return rows

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
