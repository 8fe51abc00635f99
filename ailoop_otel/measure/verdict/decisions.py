"""The verdict on one figure against a target or a baseline, with the reason as a sentence.

A verdict is one-sided: a figure fails where its better bound is beyond the limit, and passes where its worse bound is
within. For a percentile these bounds are those of the exact quantile test, so that it fails where significantly more
observations than its share are beyond the limit (Conover 1999, section 3.1), however few they are.

What is plain needs neither many values nor independent ones, and no correction for the number of figures: noise that
lasts for a whole run moves the level of the run, but does not double each single time, nor make one request in four
fail.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
import scipy

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.measure.results.quantities import between, percent, shown, signed
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics.estimates import Estimate, estimate
from ailoop_otel.measure.statistics.intervals import CONFIDENCE, Bounds, UncertainValue
from ailoop_otel.measure.statistics.percentiles import values_of
from ailoop_otel.measure.verdict.changes import BETWEEN_RUNS, Change, send_delay
from ailoop_otel.measure.verdict.targets import Target
from ailoop_otel.measure.verdict.verdict import Judged, Verdict
from ailoop_otel.units import counted

FEWEST_RUNS: Final = 5
"""So many runs on each side know well enough how runs differ."""
PLAIN: Final = 2.0
"""A figure of times fails where each of at least `FEWEST` observations is beyond the limit by this factor."""
FEWEST: Final = 5
FAILURES: Final = 250.0
"""An error rate fails where so many more of 1,000 fail than may, surely enough (`_SURE`)."""
_SURE: Final = 0.001
# A run would have to be so many times as long: that is no advice.
_TOO_CLOSE: Final = 100


def against_target(run: Run, target: Target, confidence: float) -> Judged:
    """Judge a figure of a run by its target; a failure must hold at this confidence (0 to 1)."""
    definition = DEFINITIONS[target.metric]
    found = estimate(run, definition, target.figure)
    row = Judged(
        target.metric, definition.unit, target.figure, math.nan, math.nan, math.nan,
        Verdict.INCONCLUSIVE, _unobserved(run, target), target=target.limit, at_least=not target.at_most,
    )  # fmt: skip
    if target.figure == "mean" and (lost := _mostly_failed(run, definition)):
        return replace(row, value=math.inf, verdict=Verdict.FAIL, reason=lost, n=found.n if found else 0)
    if found is None:
        return row
    low, high = found.uncertain.bounds(CONFIDENCE)
    verdict, reason = _judge_target(found, target, definition, confidence)
    waited = send_delay(run, definition, target.figure)
    # Within one load process a message waits only where all sessions are busy, which is the server's time.
    if verdict is Verdict.FAIL and _processes(run) > 1 and found.value - waited <= target.limit:
        verdict = Verdict.INCONCLUSIVE
        reason += (
            f", but of that {shown(waited, definition)} was the wait for a session of the message's own load "
            "process: use fewer --processes, or more sessions"
        )
    return replace(row, value=found.value, low=low, high=high, verdict=verdict, reason=reason, n=found.n)


def _mostly_failed(run: Run, definition: Definition) -> str:
    """Why a mean, which is of successes alone, says nothing about a run; empty where most succeeded."""
    values = values_of(run, definition)
    failures = int(np.isinf(values).sum())
    if 2 * failures <= len(values):
        return ""
    return f"{failures:,} of {len(values):,} failed: a mean of the rest says nothing"


def _unobserved(run: Run, target: Target) -> str:
    """Why a figure has no value, and which one the run has in its place: a server's telemetry knows no client."""
    other = DEFINITIONS.get(f"server_{target.metric}")
    if other is None or not any(True for _ in run.of(other)):
        return "it was not observed in this run"
    return f"it was not observed in this run, which has the server's own time: give a target for {other.name}"


def _processes(run: Run) -> int:
    """How many load processes shared the sessions of a run."""
    processes = run.context.settings.get("processes", 1)
    return processes if isinstance(processes, int) else 1


def _judge_target(found: Estimate, target: Target, definition: Definition, confidence: float) -> tuple[Verdict, str]:
    sign = 1 if target.at_most else -1
    limit = f"the {'most' if target.at_most else 'least'} is {shown(target.limit, definition)}"
    within = sign * found.value <= sign * target.limit
    low, high = found.uncertain.bounds(CONFIDENCE)
    text = f"{shown(found.value, definition)} ({between(low, high, definition)}), {limit}"
    if math.isnan(low):
        text = f"{shown(found.value, definition)}, {limit}"
    if _plainly_beyond(found, target.limit, sign):
        return Verdict.FAIL, f"{text}; each of {found.n:,} observations is beyond it by more than a factor of {PLAIN:g}"
    if _plainly_within(found, target.limit, sign):
        return Verdict.PASS, f"{text}; each of {found.n:,} observations is within it by more than a factor of {PLAIN:g}"
    if target.metric == definitions.ERROR_RATE.name and _plainly_failing(found, target.limit):
        return Verdict.FAIL, f"{text}; so many failed that it does not matter whether they came together"
    if math.isnan(low) and found.values is None:
        return (Verdict.PASS if within else Verdict.FAIL), f"{text} ({found.lacking})"
    if target.metric == definitions.ERROR_RATE.name and within:
        return Verdict.PASS, f"{text}; up to {shown(high, definition)} cannot be excluded"
    verdict = _decided(found.uncertain, target.limit, target.limit, sign, confidence)
    if verdict is not Verdict.INCONCLUSIVE:
        return verdict, text
    return verdict, f"{text}; {_undecided(found.uncertain, target.limit, found.n, found.needed)}"


def _decided(number: UncertainValue, limit: float, beyond: float, sign: int, confidence: float) -> Verdict:
    """Pass if the whole interval is within `limit`, fail if all of it is beyond `beyond`, else inconclusive.

    `sign` is 1 where larger is worse, -1 where smaller is worse.
    """
    _, worst = _worse(number.bounds(CONFIDENCE), sign)
    best, _ = _worse(number.bounds(confidence), sign)
    if worst <= sign * limit:
        return Verdict.PASS
    return Verdict.FAIL if best > sign * beyond else Verdict.INCONCLUSIVE


def _worse(bounds: Bounds, sign: int) -> Bounds:
    """The bounds on a scale where larger is worse."""
    return (bounds[0], bounds[1]) if sign > 0 else (-bounds[1], -bounds[0])


def deciding(found: UncertainValue, limit: float, n: int, needed: int) -> float:
    """How many units decide, of which there are n, if the true value is the observed one; infinity where none would.

    An interval narrows with the root of their number; with fewer than `needed` there is none.
    """
    low, high = found.bounds(CONFIDENCE)
    margin = abs(limit - found.value)
    width = high - found.value if limit > found.value else found.value - low
    if n < needed or not math.isfinite(width) or not math.isfinite(margin):
        return max(needed, n + 1)
    return max(n + 1, math.ceil(n * (width / margin) ** 2)) if margin else math.inf


def _undecided(found: UncertainValue, limit: float, n: int, needed: int, units: str = "observations") -> str:
    """Why the data cannot tell, and how many would."""
    enough = deciding(found, limit, n, needed)
    have = f"{counted(n, units.rstrip('s'))} cannot tell"
    if enough > _TOO_CLOSE * max(n, needed):
        return f"{have}: it is too close to the limit for {'any number of them' if n > 1 else 'more'}"
    if units != "observations":
        return f"{have}; about --{units} {enough:.0f} would"
    return f"{have}; about {_rounded(enough):,} would"


def _rounded(number: float) -> int:
    """A number of at most three digits and zeros, rounded up."""
    step = 10 ** max(0, len(str(int(number))) - 2)
    return int(number) if number < 1000 else math.ceil(number / step) * step


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
    sign = -1 if found.rule.definition.better == "higher" else 1
    bounds = found.change.bounds(CONFIDENCE)
    what = "all values are shifted by " if found.shifted else ""
    text = f"{what}{_amount(found)} ({_interval(found)})"
    if math.isnan(bounds[0]) or found.lacking:
        text = _amount(found)
    plain = _plain_change(found, sign)
    if plain:
        return _blamed(found, f"{text}: {plain}")
    if found.lacking or math.isnan(bounds[0]):
        alone = found.units == "observations"
        lacking = _undecided(found.change, 0.0, found.n, _needed(found)) if alone else found.lacking
        return Verdict.INCONCLUSIVE, f"{text}, {_allowed(found)} is allowed: {lacking}"
    worse = sign * found.change.value
    if _no_more_errors(found, worse, _worse(bounds, sign)):
        return Verdict.PASS, f"{text}: no increase is seen, and {_allowed(found)} is allowed"
    verdict = _decided(found.change, sign * found.allowed, sign * found.beyond, sign, confidence)
    if verdict is Verdict.PASS and not _percentile_within(found):
        undecided = _undecided(found.change, found.allowed, found.n, _needed(found))
        return Verdict.INCONCLUSIVE, f"{text}, but not the percentile itself: {undecided}"
    if verdict is Verdict.PASS:
        return verdict, f"{text}: within the {_allowed(found)} allowed"
    beyond = f"{text}: beyond the {_allowed(found)} allowed"
    if verdict is Verdict.FAIL:
        return _blamed(found, beyond)
    best = _worse(bounds, sign)[0]
    if best > found.beyond:
        figures = round((1 - CONFIDENCE) / (1 - confidence))
        return verdict, f"{beyond}, but not surely enough for one of {figures} figures"
    if best > found.allowed:
        runs = f"up to {100 * BETWEEN_RUNS:g} % more may lie between any two runs"
        return verdict, f"{beyond}, but {runs}: --runs {FEWEST_RUNS} for both would tell"
    return verdict, f"{text}: may be within or beyond the {_allowed(found)} allowed; {_more(found, sign)}"


def _plain_change(found: Change, sign: int) -> str:
    """Why the change is plain however the values depend on each other; empty where it is not."""
    before = found.reference.value
    if found.rule.definition is definitions.ERROR_RATE and _plainly_failing(found.now, found.allowed, found.reference):
        return "so many more failed that it does not matter whether they came together"
    if not found.rule.absolute and _plainly_beyond(found.now, (1 + found.allowed) * before, sign):
        return f"each of the observations is more than {PLAIN:g} times what is allowed"
    return ""


def _blamed(found: Change, beyond: str) -> tuple[Verdict, str]:
    """A failure, unless the load generator's own delay is what makes it one."""
    if found.delayed > 0 and found.change.value - found.delayed / found.reference.value <= found.allowed:
        late = shown(found.delayed, found.rule.definition)
        return Verdict.INCONCLUSIVE, f"{beyond}, but the load generator itself was {late} later"
    return Verdict.FAIL, beyond


def _percentile_within(found: Change) -> bool:
    """Whether the percentile as observed is within what is allowed, where only the shift of all values is known."""
    return not found.shifted or found.now.value <= (1 + found.allowed) * found.reference.value


def _more(found: Change, sign: int) -> str:
    """How many more would decide."""
    worse = sign * found.change.value
    limit = found.beyond if worse > found.beyond else found.allowed
    bounded = found.shifted and all(map(math.isfinite, found.change.bounds(CONFIDENCE)))
    return _undecided(found.change, sign * limit, found.n, 0 if bounded else _needed(found), found.units)


def _needed(found: Change) -> int:
    """How many observations each side needs for an interval of the figure itself."""
    return max(found.now.needed, found.reference.needed)


def _amount(found: Change) -> str:
    if found.rule.absolute:
        return signed(found.change.value, found.rule.definition)
    return percent(found.change.value)


def _interval(found: Change) -> str:
    low, high = found.change.bounds(CONFIDENCE)
    if found.rule.absolute:
        return between(low, high, found.rule.definition)
    return f"{percent(low)} to {percent(high)}"


def _allowed(found: Change) -> str:
    """What is tolerated, as a share or in the unit, as the rule or its floor has it."""
    definition = found.rule.definition
    if found.rule.absolute:
        return shown(found.allowed, definition)
    if found.floored:
        return shown(found.allowed * found.reference.value, definition)
    return percent(found.allowed).lstrip("+±")


def _no_more_errors(found: Change, worse: float, bounds: Bounds) -> bool:
    """Whether the error rate shows no increase.

    A few errors in a few hundred requests cannot prove that the rate is not higher than before. So it passes if the
    observed rates differ by no more than is allowed, and the interval of the difference holds 0.
    """
    return found.rule.definition is definitions.ERROR_RATE and worse <= found.allowed and bounds[0] <= 0


def excused(row: Judged, reason: str) -> Judged:
    """Make the verdict on a time or rate inconclusive, since something else than the server decides it.

    `reason` is what; empty for nothing.
    """
    if not reason or row.unit not in (definitions.FIRST_CHUNK.unit, definitions.RATE.unit):
        return row
    return replace(row, verdict=Verdict.INCONCLUSIVE, reason=f"{row.reason}; but {reason}")


def _plainly_beyond(found: Estimate, limit: float, sign: int) -> bool:
    """Whether each of the observations is beyond a limit by the factor `PLAIN`; `sign` is -1 for a lower limit."""
    values = found.values
    if values is None or len(values) < FEWEST:
        return False
    return bool(values.min() > PLAIN * limit if sign > 0 else values.max() < limit / PLAIN)


def _plainly_within(found: Estimate, limit: float, sign: int) -> bool:
    """Whether each of as many observations as independent ones would need is within a limit by the factor `PLAIN`."""
    values = found.values
    if values is None or len(values) ** 2 < found.needed * found.worth:
        return False
    return bool(values.max() * PLAIN < limit if sign > 0 else values.min() > limit * PLAIN)


def _plainly_failing(now: Estimate, limit: float, before: Estimate | None = None) -> bool:
    """Whether far more of 1,000 exchanges failed than the limit, or than the baseline's share and the limit.

    That it is no chance is said by the exact binomial test, or Fisher's.
    """
    if now.value - limit - (before.value if before else 0.0) < FAILURES:
        return False
    failed = round(now.value / 1000 * now.n)
    if before is None:
        return bool(scipy.stats.binomtest(failed, now.n, limit / 1000, alternative="greater").pvalue <= _SURE)
    then = round(before.value / 1000 * before.n)
    table = np.array([[failed, now.n - failed], [then, before.n - then]])
    return bool(scipy.stats.fisher_exact(table, alternative="greater").pvalue <= _SURE)
