"""The observations of a message and of a session."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ailoop_otel.measure.client.message import REFUSED, Message
from ailoop_otel.measure.client.session import ClientSession
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import OK, Observation, Phase, observed

# The outcomes by which a server reports to its client that there will be no answer.
_REPORTED_FAILURES = frozenset({"ai_timeout", "ai_error", "no_answer", "cut"})


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


def message_observations(message: Message, place: Place, *, expects_timeout: bool = False) -> list[Observation]:
    """The observations of a message that has ended.

    With `expects_timeout` the AI is not supposed to answer in time: any failure that the server reports counts as the
    report of the timeout.
    """
    outcome = message.outcome
    rows: list[Observation] = []

    def add(definition: Definition, value: float, outcome: str) -> None:
        rows.append(place.observed(definition, value, message.planned, outcome, message.trace_id))

    def since_planned(moment: float) -> float:
        return moment - message.planned if moment else math.nan

    completed = since_planned(message.completed)
    if message.command and outcome == OK:
        add(definitions.COMMAND, completed, OK)
    else:
        add(definitions.FIRST_CHUNK, since_planned(message.first_chunk), outcome)
        add(definitions.COMPLETION, completed, outcome)
    # Sending and acknowledgement did not fail, whatever the outcome of the answer is.
    if message.sent:
        add(definitions.SEND_DELAY, max(0.0, since_planned(message.sent)), OK)
    if message.acknowledged:
        add(definitions.ACKNOWLEDGEMENT, message.acknowledged - message.sent, OK)
    if message.gaps and message.knows_stream:
        add(definitions.LONGEST_GAP, max(message.gaps), outcome)
    if message.completed and (outcome == "ai_timeout" or (expects_timeout and outcome in _REPORTED_FAILURES)):
        add(definitions.TIMEOUT_TOLD, completed, outcome)
    return rows


def session_start_observation(session: ClientSession, place: Place, refusal: str = REFUSED) -> Observation:
    """The observation of a session's start, which has no duration where nothing starts one, or of its `refusal`."""
    took = session.started_at - session.asked_at if session.id else math.nan
    return place.observed(definitions.SESSION_START, took, session.asked_at, OK if session.started_at else refusal)


def session_end_observations(session: ClientSession, place: Place) -> list[Observation]:
    """The observations of a session that has ended."""
    lasted = max(0.0, session.ended_at - session.started_at)
    return [
        place.observed(definitions.SESSION_DURATION, lasted, session.started_at),
        place.observed(definitions.SESSION_TURNS, float(session.turns), session.started_at),
    ]
