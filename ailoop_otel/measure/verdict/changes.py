"""Which figures are compared with a baseline, and how each changed: between runs, or over pairs of runs.

What differs between two runs of one server (where its memory lies, how warm the machine is) is in no interval that is
made within one run. With several runs on a side it is measured: then each run is one value of a figure, and the change
has Student's interval. With one run each it is unknown, and a change must be beyond `BETWEEN_RUNS` besides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.run import Run, pooled
from ailoop_otel.measure.statistics import intervals
from ailoop_otel.measure.statistics.dependence import effective_size
from ailoop_otel.measure.statistics.estimates import Estimate, estimate, figure_of, ramp_step
from ailoop_otel.measure.statistics.intervals import UncertainValue, without_interval
from ailoop_otel.measure.statistics.percentiles import PERCENTILES, Values, values_of
from ailoop_otel.measure.statistics.shift import hodges_lehmann

FEWEST_PAIRS: Final = 5
TOLERANCE: Final = 0.10
BETWEEN_RUNS: Final = 0.05
"""How much further beyond what is allowed a change between two single runs must be to fail: a share.

Runs of one server on one machine differ by a few per cent in their percentiles (a standard deviation of 2 to 8 %).
"""
# Resident memory is mostly what is loaded once: one library more is a tenth of a small server, and no leak, which
# memory growth and memory per session show.
_MEMORY_TOLERANCE: Final = 0.20

# A single odd message shifts nothing.
_FEWEST_SHIFTED: Final = 5
_MILLISECOND: Final = 0.001
_MEBIBYTE: Final = 2.0**20


@dataclass(frozen=True, slots=True)
class Rule:
    """How a figure is compared with its baseline.

    A change for the worse is tolerated up to a share of the baseline's value, and always up to `floor` (in the
    metric's unit): smaller differences come from clocks, schedulers and allocators. `absolute` compares by
    subtraction, for metrics that may be 0. With observations of the metric `instead`, this one is not compared.
    `any_load` is for a figure that can be compared between runs of different load, `in_ramp` for one that only a
    growing number of sessions tells apart from what else happens in time. `tolerance` is the share that is
    tolerated where neither the command nor the targets say another one.
    """

    definition: Definition
    figure: str
    floor: float
    absolute: bool = False
    instead: Definition | None = None
    any_load: bool = False
    in_ramp: bool = False
    tolerance: float = TOLERANCE


# The figures that are judged by default.
RULES: Final = (
    Rule(definitions.FIRST_CHUNK, "p50", _MILLISECOND),
    Rule(definitions.FIRST_CHUNK, "p95", _MILLISECOND),
    Rule(definitions.COMPLETION, "p50", _MILLISECOND),
    Rule(definitions.COMPLETION, "p95", _MILLISECOND),
    Rule(definitions.SERVER_FIRST_CHUNK, "p50", _MILLISECOND, instead=definitions.FIRST_CHUNK),
    Rule(definitions.SERVER_FIRST_CHUNK, "p95", _MILLISECOND, instead=definitions.FIRST_CHUNK),
    Rule(definitions.SERVER_COMPLETION, "p50", _MILLISECOND, instead=definitions.COMPLETION),
    Rule(definitions.SERVER_COMPLETION, "p95", _MILLISECOND, instead=definitions.COMPLETION),
    Rule(definitions.TIMEOUT_TOLD, "p50", _MILLISECOND),
    Rule(definitions.RATE, "value", 0.0),
    Rule(definitions.ERROR_RATE, "value", 10.0, absolute=True),
    Rule(definitions.MEMORY, "mean", _MEBIBYTE, tolerance=_MEMORY_TOLERANCE),
    # Bytes over the whole run, not per second or session: see `_floor`.
    Rule(definitions.MEMORY_PER_SESSION, "value", _MEBIBYTE, absolute=True, any_load=True, in_ramp=True),
    Rule(definitions.MEMORY_GROWTH, "value", _MEBIBYTE, absolute=True),
    # At least one step of the ramp, since the levels between two steps were not tried.
    Rule(definitions.STABLE_SESSIONS, "value", 1.0, absolute=True, any_load=True),
    Rule(definitions.STABLE_RATE, "value", 0.0, absolute=True, any_load=True),
)


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one figure.

    `change` and `allowed` are shares of the baseline's value (0.1 is ten per cent more), or differences in the
    metric's unit where the rule is absolute; `floored` is true where the rule's floor decided `allowed`. A failure must
    be beyond `beyond`. `shifted` is true where `change` is the shift of the whole distribution, since the percentile
    itself has no interval. `lacking` is the reason why there is no interval. `delayed` is how much of the difference,
    in the metric's unit, came from a late load generator. `n` counts the `units` that the interval narrows with.
    """

    rule: Rule
    now: Estimate
    reference: Estimate
    change: UncertainValue
    allowed: float
    floored: bool
    beyond: float
    n: int
    units: str = "observations"
    shifted: bool = False
    lacking: str = ""
    delayed: float = 0.0


def change(rule: Rule, runs: Sequence[Run], baseline: Sequence[Run], tolerance: float) -> Change | None:
    """The change of a figure from a baseline, each of one run or several; `tolerance` is a share.

    None where one of the two lacks the figure, or where the baseline's is infinite, or 0 for a relative rule.
    """
    if any(_left_out(rule, run) for run in runs):
        return None
    if len(runs) + len(baseline) > 2:
        return _between_runs(rule, runs, baseline, tolerance)
    run, before = runs[0], baseline[0]
    now = estimate(run, rule.definition, rule.figure, seed=1)
    reference = estimate(before, rule.definition, rule.figure, seed=2)
    if now is None or reference is None or not _comparable(rule, reference.value):
        return None
    allowed, floored = _allowed(rule, reference.value, tolerance, (run, before))
    shifted = min(now.n, reference.n) >= _FEWEST_SHIFTED and (now.n < now.needed or reference.n < reference.needed)
    if rule.figure in PERCENTILES and shifted and now.values is not None and reference.values is not None:
        found = _shift(now.values, reference.values)
    else:
        shifted, make = False, intervals.mover_difference if rule.absolute else intervals.mover_ratio
        found = make(now.uncertain, reference.uncertain)
    return Change(
        rule, now, reference, found, allowed, floored, allowed + (0.0 if rule.absolute else BETWEEN_RUNS),
        min(now.n, reference.n), shifted=shifted, lacking=reference.lacking or now.lacking,
        delayed=_delay(rule, runs) - _delay(rule, baseline),
    )  # fmt: skip


def paired(rule: Rule, pairs: Sequence[tuple[Run, Run]], tolerance: float) -> Change | None:
    """The change of a figure over pairs of runs made in turns; the first run of each pair is the reference.

    For an absolute rule the change is the mean difference, else the geometric mean of the ratios less 1; the value of
    each side is its mean over the rounds, geometric for a relative rule, so that the change is that of the two values.
    `tolerance` is a share. None where fewer than two pairs have the figure.
    """
    found = [(_plain(rule, one), _plain(rule, other)) for one, other in pairs]
    table = np.array([pair for pair in found if np.isfinite(pair).all() and _comparable(rule, pair[0])], dtype=float)
    if len(table) < 2 or (not rule.absolute and (table <= 0).any()):
        return None
    n, (before, after) = len(table), _on_scale(rule, table).T
    reference, now = (_over_runs(rule, side, _error(side), n - 1) for side in (before, after))
    steps = after - before
    found_change = intervals.student_interval(float(steps.mean()), _error(steps), n - 1)
    if not rule.absolute:
        found_change = intervals.relative_change(found_change)
    allowed, floored = _allowed(rule, reference.value, tolerance, [run for pair in pairs for run in pair])
    lacking = f"{n} pairs are too few: {FEWEST_PAIRS} are needed" if n < FEWEST_PAIRS else ""
    return Change(rule, now, reference, found_change, allowed, floored, allowed, n, "rounds", lacking=lacking)


def _between_runs(rule: Rule, runs: Sequence[Run], baseline: Sequence[Run], tolerance: float) -> Change | None:
    """The change between the means of several runs; the spread of the runs on both sides is taken as one."""
    sides = [np.array([figure_of(run, rule.definition, rule.figure) for run in side]) for side in (runs, baseline)]
    after, before = (side[~np.isnan(side)] for side in sides)
    degrees = len(after) + len(before) - 2
    if not len(after) or not len(before) or degrees < 1 or not all(_comparable(rule, each) for each in before):
        return None
    one, other = _on_scale(rule, after), _on_scale(rule, before)
    kept = one[np.isfinite(one)]
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in (kept, other) if len(each))
    spread = math.sqrt(squares / max(1, degrees - len(one) + len(kept)))
    now, reference = (_over_runs(rule, each, spread / math.sqrt(len(each)), degrees) for each in (one, other))
    found = intervals.student_interval(
        float(one.mean() - other.mean()), spread * math.sqrt(1 / len(one) + 1 / len(other)), degrees
    )
    if len(kept) < len(one):
        worst = math.inf if np.isinf(after).any() else -math.inf
        least = worst if not len(kept) else -math.inf
        found = UncertainValue(worst, lambda confidence: (least, max(worst, -least)))
    if not rule.absolute:
        found = intervals.relative_change(found)
        if rule.definition.each != "run":
            now = replace(now, values=np.concatenate([values_of(run, rule.definition) for run in runs]))
    elif rule.definition is definitions.ERROR_RATE:
        whole, then = (estimate(pooled(side), rule.definition, rule.figure) for side in (runs, baseline))
        if whole and then and not whole.lacking and not then.lacking:
            # Where each run has the same share of failures, often none, their spread says nothing.
            now, reference = whole, then
            found = intervals.wider(found, intervals.mover_difference(whole.uncertain, then.uncertain))
    allowed, floored = _allowed(rule, reference.value, tolerance, [*runs, *baseline])
    delayed = _delay(rule, runs) - _delay(rule, baseline)
    return Change(
        rule, now, reference, found, allowed, floored, allowed, max(len(one), len(other)), "runs", delayed=delayed
    )


def _shift(now: Values, reference: Values) -> UncertainValue:
    """The shift of the whole distribution as a ratio less 1."""
    with np.errstate(divide="ignore"):
        found = hodges_lehmann(np.log(now), np.log(reference), (effective_size(now), effective_size(reference)))
    return intervals.relative_change(found)


def _left_out(rule: Rule, run: Run) -> bool:
    """Whether a run has a better metric for the figure, or no load that the figure is of."""
    return bool(rule.instead is not None and run.steady(rule.instead)) or (rule.in_ramp and not ramp_step(run))


def _comparable(rule: Rule, reference: float) -> bool:
    return math.isfinite(reference) and (rule.absolute or reference > 0)


def _allowed(rule: Rule, reference: float, tolerance: float, runs: Sequence[Run]) -> tuple[float, bool]:
    """How much change is tolerated, as a share or in the metric's unit, and whether the floor decides it."""
    floor = max(_floor(rule, run) for run in runs)
    relative = tolerance * abs(reference) if rule.absolute else tolerance
    least = floor if rule.absolute else floor / reference
    return max(relative, least), least > relative


def _floor(rule: Rule, run: Run) -> float:
    """The rule's floor in the metric's unit; for memory growth it is divided by the duration or the sessions."""
    if rule.definition is definitions.MEMORY_GROWTH:
        return rule.floor / max(run.context.duration, 1.0)
    if rule.definition is definitions.MEMORY_PER_SESSION:
        return rule.floor / max(1, sum(row.metric == definitions.SESSION_START.name for row in run.observations))
    if rule.definition in (definitions.STABLE_SESSIONS, definitions.STABLE_RATE):
        return max(rule.floor, ramp_step(run))
    return rule.floor


def send_delay(run: Run, definition: Definition, figure: str) -> float:
    """How much of a time is the load generator's: the delay of sending in seconds, at the same percentile."""
    if definition not in (definitions.FIRST_CHUNK, definitions.COMPLETION):
        return 0.0
    late = figure_of(run, definitions.SEND_DELAY, figure)
    return late if math.isfinite(late) else 0.0


def _delay(rule: Rule, runs: Sequence[Run]) -> float:
    return sum(send_delay(run, rule.definition, rule.figure) for run in runs) / len(runs)


def _plain(rule: Rule, run: Run) -> float:
    if _left_out(rule, run):
        return math.nan
    return figure_of(run, rule.definition, rule.figure)


def _error(values: Values) -> float:
    """The standard error of the mean."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _on_scale(rule: Rule, values: Values) -> Values:
    """The values on the scale on which changes are differences: that of logarithms for a relative rule."""
    with np.errstate(divide="ignore"):
        return values if rule.absolute else np.log(values)


def _over_runs(rule: Rule, values: Values, error: float, degrees: int) -> Estimate:
    """The mean over runs, geometric for a relative rule; `values` and their standard error are those `_on_scale`."""
    mean = float(values.mean())
    found = intervals.student_interval(mean, error, degrees) if math.isfinite(mean) else without_interval(mean)
    return Estimate(found if rule.absolute else intervals.transformed(found, math.exp), len(values))
