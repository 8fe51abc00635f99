"""Whether a load test is valid: problems that keep a run from passing, independent of its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import OK
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict.verdict import Verdict

BUSY: Final = 0.85
"""Cores of CPU time above which a load process has delayed the messages that it measured."""
# The share of the planned messages that makes the rate the one that was asked for.
SENT: Final = 0.95
# A note of the run, so that a run directory that is judged again is still recognised as interrupted.
INTERRUPTED: Final = "It was interrupted: what was measured until then is all there is."


def validity_problems(run: Run) -> Iterator[tuple[Verdict, str]]:
    """The problems that keep a load test from passing, each with its verdict and the correction.

    A run in which no message succeeded fails; a timeout that its scenario `expects` counts as a success if it was
    reported to the client. So does one whose server ended or refused sessions that were asked for, or that `abort_on`
    ended. A run that was interrupted, or lacks the metric that its scenario measures, or the load that was asked for,
    is inconclusive. Test runs and telemetry have no such problems: their failures may be intended.
    """
    if run.context.source != "client":
        return
    failure = _failure(run)
    if failure:
        yield Verdict.FAIL, failure
    yield from _load_missing(run.context.load, recorded=bool(run.context.settings.get("recorded")))
    if INTERRUPTED in run.context.notes:
        yield Verdict.INCONCLUSIVE, "it was interrupted: run it to its end for a verdict"
    elif not failure:
        yield from ((Verdict.INCONCLUSIVE, each) for each in _result_missing(run))


def _failure(run: Run) -> str:
    kinds = Counter(row.outcome for row in run.of(definitions.COMPLETION))
    if not kinds or OK in kinds or _timeout_reported(run) or any(run.of(definitions.COMMAND)):
        return ""
    kind, most = kinds.most_common(1)[0]
    return f"no message succeeded: all {kinds.total():,} failed, {most:,} of them as {kind}; look at the server's log"


def at_limit(load: dict[str, Any]) -> bool:
    """Whether the load generator itself made times longer."""
    return bool(load.get("busy", 0.0) > BUSY)


def _load_missing(load: dict[str, Any], *, recorded: bool) -> Iterator[tuple[Verdict, str]]:
    """What was asked for and not put on, and whose fault it is: the server's, or the load generator's."""
    own_limit = load.get("own_limit")
    if load.get("aborted"):
        # Where the load generator was at its limit, its own delay may be what was beyond the limit.
        own = at_limit(load) or own_limit
        yield Verdict.INCONCLUSIVE if own else Verdict.FAIL, f"it was ended early (abort_on): {load['aborted']}"
    if load.get("not_put_on") and not own_limit:
        yield Verdict.INCONCLUSIVE, f"the load generator could not put on more: {load['not_put_on']}"
    sessions, connected = load.get("sessions", 0), load.get("connected", 0)
    held = f"{connected:,} of {sessions:,} sessions were held"
    ended, refusals = load.get("server_ended"), load.get("refusals", 0)
    refused = bool(load.get("refusal")) and (connected < sessions or refusals > 0)
    if ended:
        then = f", and a session was refused {refusals:,} times" if refusals else ""
        yield Verdict.FAIL, f"the server's process ended during the run{then}: look at its log"
    if own_limit:
        missing = f" ({held})" if connected < sessions else ""
        reason = f"the load generator was at its own limit, not the server{missing}: {own_limit}"
        yield Verdict.INCONCLUSIVE, reason
    elif connected < sessions and refused:
        yield Verdict.FAIL, f"{held}, and the server refused the others: {load['refusal']}"
    elif refused and not ended:
        yield Verdict.FAIL, f"the server refused a session {refusals:,} times during the run: {load['refusal']}"
    elif connected < sessions and not ended:
        yield Verdict.INCONCLUSIVE, f"only {held}: open them faster (opening), or for longer"
    if at_limit(load):
        yield (
            Verdict.INCONCLUSIVE,
            f"the load generator was at its limit: a process of it used {100 * load['busy']:.0f} % of a core, and its "
            "own delay is in the times; use more --processes, or another machine",
        )
    elif load.get("sent", 0) < SENT * load.get("planned", 0) and not (ended or refused or own_limit):
        # Where sessions were missing, the reason above is why messages were not sent.
        mend = (
            "sessions waited for the answer before: recorded times were not kept; take a slower --pace"
            if recorded
            else "all sessions were busy: the rate that was asked for was not put on; ask for more sessions, or less"
        )
        sent = f"of {load['planned']:,} messages that were planned, {load['sent']:,} were sent while they were due"
        yield Verdict.INCONCLUSIVE, f"{sent}, since {mend}"


def _expects(run: Run) -> bool:
    expects = run.context.settings.get("expects")
    return isinstance(expects, list | tuple) and "ai_timeout" in expects


def _timeout_reported(run: Run) -> bool:
    """Whether a timeout that the messages expect was reported to a client."""
    return _expects(run) and any(run.of(definitions.TIMEOUT_TOLD))


def _result_missing(run: Run) -> Iterator[str]:
    """What the run lacks of what its scenario is for."""
    if not (any(run.of(definitions.COMPLETION)) or any(run.of(definitions.COMMAND))):
        yield "no message was measured outside the warm-up: let it run longer (--set duration=60)"
    if _expects(run) and not _timeout_reported(run):
        yield (
            "nothing timed out, so ai_timeout_told, which this scenario is for, was not measured: let the server talk "
            "to an AI that hangs (--message, if a certain text makes it hang)"
        )
    ramp, load = run.context.settings.get("ramp"), run.context.load
    if not isinstance(ramp, dict) or load.get("own_limit") or load.get("not_put_on"):
        return
    stable = definitions.STABLE_RATE if ramp.get("of") == "rate" else definitions.STABLE_SESSIONS
    searched = ramp.get("search", True)
    if searched and not any(row.value > 0 for row in run.of(stable)):
        first = [*(ramp.get("levels") or ()), ramp.get("start", "the first")][0]
        yield (
            f"this scenario is for {stable.name}, and none was found: not even {first} {stable.shown_in} were stable; "
            "begin with less (ramp.start), or allow more (stable.errors, stable.first_chunk_p95)"
        )
    elif not searched and not any(run.of(definitions.MEMORY_PER_SESSION)):
        mend = "say which process the server is (--pid), or let it be started (--start)"
        if any(run.of(definitions.MEMORY)):
            mend = "too few sessions were opened beside its samples; raise ramp.most or ramp.seconds"
        yield f"this scenario is for memory_per_session, which was not measured: {mend}"
