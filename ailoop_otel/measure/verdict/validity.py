"""Whether a load test is valid: problems that keep a run from passing, independent of its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict.verdict import Verdict

# A note of the run, so that a run directory that is judged again is still recognised as interrupted.
BUSY: Final = 0.85
"""Cores of CPU time above which a load process has delayed the messages that it measured."""
# The share of the planned messages that makes the rate the one that was asked for.
SENT: Final = 0.95
INTERRUPTED: Final = "It was interrupted: what was measured until then is all there is."


def validity_problems(run: Run) -> Iterator[tuple[Verdict, str]]:
    """The problems that keep a load test from passing, each with its verdict and the correction.

    A run in which no message succeeded fails; a timeout that its scenario `expects` counts as a success if it was
    reported to the client. So does one whose server refused sessions that were asked for, or that `abort_on` ended. A
    run that was interrupted, or lacks the metric that its scenario measures, or the load that was asked for, is
    inconclusive. Test runs and telemetry have no such problems: their failures may be intended.
    """
    if run.context.source != "client":
        return
    failure = _failure(run)
    if failure:
        yield Verdict.FAIL, failure
    if run.context.load.get("aborted"):
        # Where the load generator was at its limit, its own delay may be what was beyond the limit.
        own = at_limit(run.context.load) or run.context.load.get("own_limit")
        reason = f"it was ended early (abort_on): {run.context.load['aborted']}"
        yield Verdict.INCONCLUSIVE if own else Verdict.FAIL, reason
    if run.context.load.get("not_put_on") and not run.context.load.get("own_limit"):
        reason = f"the load generator could not put on more: {run.context.load['not_put_on']}"
        yield Verdict.INCONCLUSIVE, reason
    yield from _load_missing(run.context.load, recorded=bool(run.context.settings.get("recorded")))
    if INTERRUPTED in run.context.notes:
        yield Verdict.INCONCLUSIVE, "it was interrupted: run it to its end for a verdict"
    elif not failure:
        yield from (
            (Verdict.INCONCLUSIVE, each)
            for each in (_nothing_measured(run), _timeout_missing(run), _ramp_result_missing(run))
            if each
        )


def _failure(run: Run) -> str:
    if _timeout_reported(run) or any(run.of(definitions.COMMAND)):
        return ""
    outcomes = [row.outcome for row in run.of(definitions.COMPLETION)]
    kinds = Counter(outcomes)
    if not outcomes or "ok" in kinds:
        return ""
    kind, most = kinds.most_common(1)[0]
    return f"no message succeeded: all {len(outcomes):,} failed, {most:,} of them as {kind}; look at the server's log"


def at_limit(load: dict[str, Any]) -> bool:
    """Whether the load generator itself made times longer."""
    return bool(load.get("busy", 0.0) > BUSY)


def _load_missing(load: dict[str, Any], *, recorded: bool) -> Iterator[tuple[Verdict, str]]:
    """What was asked for and not put on, and whose fault it is: the server's, or the load generator's."""
    sessions, connected = load.get("sessions", 0), load.get("connected", 0)
    held = f"{connected:,} of {sessions:,} sessions were held"
    if load.get("own_limit"):
        missing = f" ({held})" if connected < sessions else ""
        yield (
            Verdict.INCONCLUSIVE,
            f"the load generator was at its own limit, not the server{missing}: {load['own_limit']}",
        )
    elif connected < sessions and load.get("refusal"):
        yield Verdict.FAIL, f"{held}, and the server refused the others: {load['refusal']}"
    elif connected < sessions:
        yield Verdict.INCONCLUSIVE, f"only {held}: open them faster (opening), or for longer"
    if at_limit(load):
        yield (
            Verdict.INCONCLUSIVE,
            f"the load generator was at its limit: a process of it used {100 * load['busy']:.0f} % of a core, and its "
            "own delay is in the times; use more --processes, or another machine",
        )
    elif load.get("sent", 0) < SENT * load.get("planned", 0):
        mend = (
            "sessions waited for the answer before: recorded times were not kept; take a slower --pace"
            if recorded
            else "all sessions were busy: the rate that was asked for was not put on; ask for more sessions, or less"
        )
        yield (
            Verdict.INCONCLUSIVE,
            f"of {load['planned']:,} messages that were planned, {load['sent']:,} were sent while they were due, since "
            f"{mend}",
        )


def _nothing_measured(run: Run) -> str:
    if any(run.of(definitions.COMPLETION)) or any(run.of(definitions.COMMAND)):
        return ""
    return "no message was measured outside the warm-up: let it run longer (--set duration=60)"


def _expects(run: Run) -> bool:
    expects = run.context.settings.get("expects")
    return isinstance(expects, list | tuple) and "ai_timeout" in expects


def _timeout_reported(run: Run) -> bool:
    """Whether a timeout that the messages expect was reported to a client."""
    return _expects(run) and any(run.of(definitions.TIMEOUT_TOLD))


def _timeout_missing(run: Run) -> str:
    if not _expects(run) or _timeout_reported(run):
        return ""
    return (
        "nothing timed out, so ai_timeout_told, which this scenario is for, was not measured: let the server talk to "
        "an AI that hangs (--message, if a certain text makes it hang)"
    )


def _ramp_result_missing(run: Run) -> str:
    ramp: Any = run.context.settings.get("ramp")
    if not isinstance(ramp, dict) or run.context.load.get("own_limit") or run.context.load.get("not_put_on"):
        return ""
    if ramp.get("search", True):
        stable = definitions.STABLE_RATE if ramp.get("of") == "rate" else definitions.STABLE_SESSIONS
        return "" if any(row.value > 0 for row in run.of(stable)) else _no_stable_level(ramp, stable)
    return "" if any(run.of(definitions.MEMORY_PER_SESSION)) else _memory_missing(run)


def _no_stable_level(ramp: dict[str, Any], stable: Definition) -> str:
    first = [*(ramp.get("levels") or ()), ramp.get("start", "the first")][0]
    return (
        f"this scenario is for {stable.name}, and none was found: not even {first} {stable.shown_in} were stable; "
        "begin with less (ramp.start), or allow more (stable.errors, stable.first_chunk_p95)"
    )


def _memory_missing(run: Run) -> str:
    missing = "this scenario is for memory_per_session, which was not measured"
    if not any(run.of(definitions.MEMORY)):
        return f"{missing}: say which process the server is (--pid), or let it be started (--start)"
    return f"{missing}: too few sessions were opened beside its samples; raise ramp.most or ramp.seconds"
