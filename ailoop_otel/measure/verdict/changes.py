"""Which figures are compared with a baseline, and how each changed: between two runs, or over pairs of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics import intervals
from ailoop_otel.measure.statistics.estimates import Estimate, estimate, figure_of, ramp_step, steady
from ailoop_otel.measure.statistics.intervals import UncertainValue, without_interval
from ailoop_otel.measure.statistics.percentiles import PERCENTILES, Values

# A percentile is compared if at least so many observations lie above it, in each run.
BEYOND: Final = 5
FEWEST_PAIRS: Final = 5

_MILLISECOND: Final = 0.001
_MEBIBYTE: Final = 2.0**20


@dataclass(frozen=True, slots=True)
class Rule:
    """How a figure is compared with its baseline.

    A change for the worse is tolerated up to a share of the baseline's value, and always up to `floor` (in the
    metric's unit): smaller differences come from clocks, schedulers and allocators. `absolute` compares by
    subtraction, for metrics that may be 0. With observations of the metric `instead`, this one is not compared.
    `any_load` is for a figure that can be compared between runs of different load.
    """

    definition: Definition
    figure: str
    floor: float
    absolute: bool = False
    instead: Definition | None = None
    any_load: bool = False


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
    Rule(definitions.MEMORY, "mean", _MEBIBYTE),
    # Bytes over the whole run, not per second or session: see `_floor`.
    Rule(definitions.MEMORY_PER_SESSION, "value", _MEBIBYTE, absolute=True, any_load=True),
    Rule(definitions.MEMORY_GROWTH, "value", _MEBIBYTE, absolute=True),
    # At least one step of the ramp, since the levels between two steps were not tried.
    Rule(definitions.STABLE_SESSIONS, "value", 1.0, absolute=True, any_load=True),
)


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one figure.

    `change` and `allowed` are shares of the baseline's value (0.1 is ten per cent more), or differences in the
    metric's unit where the rule is absolute; `floored` is true where the rule's floor decided `allowed`. `lacking` is
    the reason why there is no interval. `delayed` is how much of the difference, in the metric's unit, came from a
    late load generator. `rounds` is the number of pairs of runs, 0 where there are none.
    """

    rule: Rule
    now: Estimate
    reference: Estimate
    change: UncertainValue
    allowed: float
    floored: bool
    lacking: str = ""
    delayed: float = 0.0
    rounds: int = 0


def change(rule: Rule, run: Run, baseline: Run, tolerance: float) -> Change | None:
    """The change of a figure from a baseline; `tolerance` is a share.

    None where one of the two runs lacks the figure, or where the baseline's is infinite, or 0 for a relative rule.
    """
    definition = rule.definition
    if rule.instead is not None and steady(run, rule.instead):
        return None
    now = estimate(run, definition, rule.figure, seed=1)
    reference = estimate(baseline, definition, rule.figure, seed=2)
    if now is None or reference is None or not _comparable(rule, reference.value):
        return None
    floor = max(_floor(rule, run), _floor(rule, baseline))
    lacking = _few(rule, min(now.n, reference.n)) or reference.lacking or now.lacking
    found = _difference(now, reference) if rule.absolute else _ratio(now, reference)
    allowed, floored = _allowed(rule, reference.value, tolerance, floor)
    return Change(rule, now, reference, found, allowed, floored, lacking, _delay(rule, run) - _delay(rule, baseline))


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
    before, after = table[:, 0], table[:, 1]
    steps = after - before if rule.absolute else np.log(after / before)
    draws = _pair_draws(steps)
    value = float(steps.mean())
    if not rule.absolute:
        draws, value = np.expm1(draws), math.expm1(value)
    reference = _over_rounds(rule, before)
    floor = max(_floor(rule, run) for pair in pairs for run in pair)
    allowed, floored = _allowed(rule, reference.value, tolerance, floor)
    lacking = f"{len(table)} pairs are too few: {FEWEST_PAIRS} are needed" if len(table) < FEWEST_PAIRS else ""
    return Change(
        rule, _over_rounds(rule, after), reference, intervals.bootstrap_interval(value, draws, len(table)),
        allowed, floored, lacking, rounds=len(table),
    )  # fmt: skip


def _comparable(rule: Rule, reference: float) -> bool:
    return math.isfinite(reference) and (rule.absolute or reference > 0)


def _allowed(rule: Rule, reference: float, tolerance: float, floor: float) -> tuple[float, bool]:
    """How much change is tolerated, as a share or in the metric's unit, and whether the floor decides it."""
    relative = tolerance * abs(reference) if rule.absolute else tolerance
    least = floor if rule.absolute else floor / reference
    return max(relative, least), least > relative


def _floor(rule: Rule, run: Run) -> float:
    """The rule's floor in the metric's unit; for memory growth it is divided by the duration or the sessions."""
    if rule.definition is definitions.MEMORY_GROWTH:
        return rule.floor / max(run.context.duration, 1.0)
    if rule.definition is definitions.MEMORY_PER_SESSION:
        return rule.floor / max(1, sum(row.metric == definitions.SESSION_START.name for row in run.observations))
    if rule.definition is definitions.STABLE_SESSIONS:
        return max(rule.floor, ramp_step(run))
    return rule.floor


def _few(rule: Rule, n: int) -> str:
    share = PERCENTILES.get(rule.figure, 0.0) / 100
    needed = round(BEYOND / (1 - share)) if share else 0
    return f"{n} observations are too few: {needed} are needed" if n < needed else ""


def _ratio(now: Estimate, reference: Estimate) -> UncertainValue:
    value = now.value / reference.value - 1
    if now.draws is None or reference.draws is None:
        return without_interval(value)
    never = np.isinf(now.draws) & np.isinf(reference.draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        return intervals.bootstrap_interval(value, np.where(never, 0.0, now.draws / reference.draws - 1))


def _difference(now: Estimate, reference: Estimate) -> UncertainValue:
    return intervals.mover_difference(now.uncertain, reference.uncertain)


def _delay(rule: Rule, run: Run) -> float:
    """The send delay in seconds at the same percentile."""
    if rule.definition not in (definitions.FIRST_CHUNK, definitions.COMPLETION):
        return 0.0
    late = figure_of(run, definitions.SEND_DELAY, rule.figure)
    return late if math.isfinite(late) else 0.0


def _plain(rule: Rule, run: Run) -> float:
    if rule.instead is not None and steady(run, rule.instead):
        return math.nan
    return figure_of(run, rule.definition, rule.figure)


def _pair_draws(steps: Values) -> Values:
    generator = np.random.default_rng(len(steps))
    draws: Values = steps[generator.integers(0, len(steps), size=(intervals.RESAMPLES, len(steps)))].mean(axis=1)
    return draws


def _over_rounds(rule: Rule, values: Values) -> Estimate:
    """The mean over rounds; geometric for a relative rule."""
    steps = values if rule.absolute else np.log(values)
    draws, value = _pair_draws(steps), float(steps.mean())
    if not rule.absolute:
        draws, value = np.exp(draws), math.exp(value)
    return Estimate(value, len(values), intervals.bootstrap_interval(value, draws, len(values)))
