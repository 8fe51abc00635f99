"""The observations of a message and of a session."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ailoop_otel.measure.client.message import REFUSED, Message
from ailoop_otel.measure.client.session import ClientSession
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import OK, Observation, Phase, observed

# The outcomes by which a server reports to its client that there will be no answer.
_REPORTED_FAILURES = frozenset({"ai_timeout", "ai_error", "no_answer", "cut"})


@dataclass(frozen=True, slots=True)
class Place:
    """The position of an observation in its run; `origin` is the start of the run (`time.perf_counter()`)."""

    origin: float
    phase: Phase = "run"
    session: int = -1
    exchange: int = -1
    label: str = ""
    process: int = 0


def message_observations(message: Message, place: Place, *, expects_timeout: bool = False) -> list[Observation]:
    """The observations of a message that has ended.

    With `expects_timeout` the AI is not supposed to answer in time: any failure that the server reports counts as the
    report of the timeout.
    """
    outcome = message.outcome
    about = {
        "phase": place.phase, "session": place.session, "exchange": place.exchange, "trace_id": message.trace_id,
        "label": place.label, "process": place.process,
    }  # fmt: skip
    at = message.planned - place.origin

    def since_planned(moment: float) -> float:
        return moment - message.planned if moment else math.nan

    completed = since_planned(message.completed)
    if message.command and outcome == OK:
        rows = [observed(definitions.COMMAND, completed, at, **about)]
    else:
        rows = [
            observed(definitions.FIRST_CHUNK, since_planned(message.first_chunk), at, outcome=outcome, **about),
            observed(definitions.COMPLETION, completed, at, outcome=outcome, **about),
        ]
    # Sending and acknowledgement did not fail, whatever the outcome of the answer is.
    if message.sent:
        rows.append(observed(definitions.SEND_DELAY, max(0.0, since_planned(message.sent)), at, outcome=OK, **about))
    if message.acknowledged:
        took = message.acknowledged - message.sent
        rows.append(observed(definitions.ACKNOWLEDGEMENT, took, at, outcome=OK, **about))
    if message.gaps and message.knows_stream:
        rows.append(observed(definitions.LONGEST_GAP, max(message.gaps), at, outcome=outcome, **about))
    if message.completed and (outcome == "ai_timeout" or (expects_timeout and outcome in _REPORTED_FAILURES)):
        rows.append(observed(definitions.TIMEOUT_TOLD, completed, at, outcome=outcome, **about))
    return rows


def session_start_observations(session: ClientSession, place: Place, refusal: str = REFUSED) -> list[Observation]:
    """The observation of a session's start, successful or with the outcome `refusal`."""
    started = bool(session.id)
    value = session.started_at - session.asked_at if started else math.nan
    outcome = OK if started else refusal
    at = session.asked_at - place.origin
    about = {"phase": place.phase, "session": place.session, "process": place.process}
    return [observed(definitions.SESSION_START, value, at, outcome=outcome, **about)]


def session_end_observations(session: ClientSession, place: Place) -> list[Observation]:
    """The observations of a session that has ended."""
    at = session.started_at - place.origin
    about = {"phase": place.phase, "session": place.session, "process": place.process}
    return [
        observed(definitions.SESSION_DURATION, max(0.0, session.ended_at - session.started_at), at, **about),
        observed(definitions.SESSION_TURNS, float(session.turns), at, **about),
    ]
