"""The verdict on one figure against a target or a baseline, with the reason as a sentence."""

from __future__ import annotations

import math
from dataclasses import replace

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import DEFINITIONS
from ailoop_otel.measure.results.quantities import between, percent, shown, signed
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics.estimates import Estimate, estimate
from ailoop_otel.measure.statistics.intervals import CONFIDENCE, Bounds, UncertainValue
from ailoop_otel.measure.verdict.changes import Change
from ailoop_otel.measure.verdict.targets import Target
from ailoop_otel.measure.verdict.verdict import Judged, Verdict


def against_target(run: Run, target: Target, confidence: float) -> Judged:
    """Judge a figure of a run by its target; a failure must hold at this confidence (0 to 1)."""
    definition = DEFINITIONS[target.metric]
    found = estimate(run, definition, target.figure)
    row = Judged(
        target.metric, definition.unit, target.figure, math.nan, math.nan, math.nan,
        Verdict.INCONCLUSIVE, "it was not observed in this run", target=target.limit, at_least=not target.at_most,
    )  # fmt: skip
    if found is None:
        return row
    low, high = found.uncertain.bounds(CONFIDENCE)
    verdict, reason = _judge_target(found, target, definition.unit, confidence)
    return replace(row, value=found.value, low=low, high=high, verdict=verdict, reason=reason, n=found.n)


def _judge_target(found: Estimate, target: Target, unit: str, confidence: float) -> tuple[Verdict, str]:
    sign = 1 if target.at_most else -1
    limit = f"the {'most' if target.at_most else 'least'} is {shown(target.limit, unit)}"
    within = sign * found.value <= sign * target.limit
    low, high = found.uncertain.bounds(CONFIDENCE)
    if math.isnan(low):
        if found.lacking and target.figure not in ("max", "min", "value"):
            return Verdict.INCONCLUSIVE, f"{shown(found.value, unit)}, {limit}; {found.lacking}"
        return (Verdict.PASS if within else Verdict.FAIL), f"{shown(found.value, unit)}, {limit} ({found.lacking})"
    text = f"{shown(found.value, unit)} ({between(low, high, unit)}), {limit}"
    if target.metric == definitions.ERROR_RATE.name and within:
        return Verdict.PASS, f"{text}; up to {shown(high, unit)} cannot be excluded"
    verdict = _decided(found.uncertain, target.limit, sign, confidence)
    return verdict, text if verdict is not Verdict.INCONCLUSIVE else f"{text}, which the interval holds"


def _decided(number: UncertainValue, limit: float, sign: int, confidence: float) -> Verdict:
    """Pass if the whole interval is within the limit, fail if all of it is beyond, else inconclusive.

    `sign` is 1 where larger is worse, -1 where smaller is worse.
    """
    _, worst = _worse(number.bounds(CONFIDENCE), sign)
    best, _ = _worse(number.bounds(confidence), sign)
    if worst <= sign * limit:
        return Verdict.PASS
    return Verdict.FAIL if best > sign * limit else Verdict.INCONCLUSIVE


def _worse(bounds: Bounds, sign: int) -> Bounds:
    """The bounds on a scale where larger is worse."""
    return (bounds[0], bounds[1]) if sign > 0 else (-bounds[1], -bounds[0])


def against_baseline(found: Change, confidence: float) -> Judged:
    """Judge a figure by its baseline; a failure must hold at this confidence (0 to 1)."""
    definition, low_high = found.rule.definition, found.change.bounds(CONFIDENCE)
    verdict, reason = _judge_change(found, confidence)
    low, high = found.now.uncertain.bounds(CONFIDENCE)
    relative = not found.rule.absolute
    return Judged(
        definition.name, definition.unit, found.rule.figure, found.now.value, low, high, verdict, reason,
        reference=found.reference.value,
        change=found.change.value if relative else None,
        change_low=low_high[0] if relative else None,
        change_high=low_high[1] if relative else None,
        allowed=found.allowed, n=found.now.n, reference_n=found.reference.n,
    )  # fmt: skip


def _judge_change(found: Change, confidence: float) -> tuple[Verdict, str]:
    bounds = found.change.bounds(CONFIDENCE)
    if found.lacking or math.isnan(bounds[0]):
        return Verdict.INCONCLUSIVE, f"{_amount(found)}, {_allowed(found)} is allowed: {found.lacking}"
    text = f"{_amount(found)} ({_interval(found)})"
    sign = -1 if found.rule.definition.better == "higher" else 1
    worse = sign * found.change.value
    if _no_more_errors(found, worse, _worse(bounds, sign)):
        return Verdict.PASS, f"{text}: no increase is seen, and {_allowed(found)} is allowed"
    verdict = _decided(found.change, sign * found.allowed, sign, confidence)
    if verdict is Verdict.PASS:
        return verdict, f"{text}: within the {_allowed(found)} allowed"
    beyond = f"{text}: beyond the {_allowed(found)} allowed"
    if verdict is Verdict.FAIL and found.delayed > 0 and _only_generator_late(found):
        late = shown(found.delayed, found.rule.definition.unit)
        return Verdict.INCONCLUSIVE, f"{beyond}, but the load generator itself was {late} later"
    if verdict is Verdict.FAIL:
        return verdict, beyond
    if _worse(bounds, sign)[0] > found.allowed:
        return (
            verdict,
            f"{beyond}, but not surely enough for one of {round((1 - CONFIDENCE) / (1 - confidence))} figures",
        )
    return verdict, f"{text}: may be within or beyond the {_allowed(found)} allowed{_needed_run(found, sign)}"


def _amount(found: Change) -> str:
    if found.rule.absolute:
        return signed(found.change.value, found.rule.definition.unit)
    return percent(found.change.value)


def _interval(found: Change) -> str:
    low, high = found.change.bounds(CONFIDENCE)
    if found.rule.absolute:
        return between(low, high, found.rule.definition.unit)
    return f"{percent(low)} to {percent(high)}"


def _allowed(found: Change) -> str:
    """What is tolerated, as a share or in the unit, as the rule or its floor has it."""
    unit = found.rule.definition.unit
    if found.rule.absolute:
        return shown(found.allowed, unit)
    if found.floored:
        return shown(found.allowed * found.reference.value, unit)
    return percent(found.allowed).lstrip("+±")


def _no_more_errors(found: Change, worse: float, bounds: Bounds) -> bool:
    """Whether the error rate shows no increase.

    A few errors in a few hundred requests cannot prove that the rate is not higher than before. So it passes if the
    observed rates differ by no more than is allowed, and the interval of the difference holds 0.
    """
    return found.rule.definition is definitions.ERROR_RATE and worse <= found.allowed and bounds[0] <= 0


def _only_generator_late(found: Change) -> bool:
    """Whether the change would be allowed without the delay of the load generator."""
    return found.change.value - found.delayed / found.reference.value <= found.allowed


def _needed_run(found: Change, sign: int) -> str:
    """How many times as many observations would decide, if the true change is the observed one."""
    best, worst = _worse(found.change.bounds(CONFIDENCE), sign)
    worse = sign * found.change.value
    margin, width = (
        (found.allowed - worse, worst - worse) if worse < found.allowed else (worse - found.allowed, worse - best)
    )
    if margin <= 0 or not math.isfinite(width / margin):
        return ""
    times = (width / margin) ** 2
    if times > 100:
        return f"; it is too close for {'more rounds' if found.rounds else 'a longer run'} to tell"
    if times <= 1:
        return ""
    if found.rounds:
        return f"; about --rounds {math.ceil(times * found.rounds)} would tell"
    return f"; a run about {max(2, math.ceil(times))} times as long would tell"


def inconclusive_on_other_machine(row: Judged, machine: str) -> Judged:
    """Make the verdict on a time or rate inconclusive if the baseline is from another machine (empty if it is not)."""
    if not machine or row.unit not in (definitions.FIRST_CHUNK.unit, definitions.RATE.unit):
        return row
    return replace(row, verdict=Verdict.INCONCLUSIVE, reason=f"{row.reason}; but the baseline is from another machine")
