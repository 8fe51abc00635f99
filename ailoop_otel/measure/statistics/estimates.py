"""Estimates: the figures of a run with their confidence intervals, which the verdict is made from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation, is_missing, observed
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics import intervals
from ailoop_otel.measure.statistics.dependence import effective_size
from ailoop_otel.measure.statistics.intervals import BLOCKS, UncertainValue, without_interval
from ailoop_otel.measure.statistics.percentiles import (
    PERCENTILES,
    Values,
    histogram_values,
    percentile,
    rank,
    values_of,
)

FEWEST: Final = 20
"""Fewer observations than this are not drawn in blocks: a mean or a rate of them has no interval."""

_FEWEST_SAMPLES: Final = 10
# Seconds; an answer that took no time is counted as if it took this.
_INSTANT: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Estimate:
    """One figure of one metric, in the metric's unit; in a percentile and a maximum, a failure counts as infinity.

    `uncertain` is the value with its interval, whose bound is infinite on a side where there are too few observations
    for one; `n` is their number, and `needed` how many would give both bounds. `values` are the observations in order
    of time, where the figure is of many, and `worth` is how many independent ones would know it as well. `lacking` is
    the reason why there is no interval at all.
    """

    uncertain: UncertainValue
    n: int
    needed: int = 0
    values: Values | None = None
    worth: float = math.inf
    lacking: str = ""

    @property
    def value(self) -> float:
        """The figure without its interval."""
        return self.uncertain.value


def estimate(run: Run, definition: Definition, figure: str, seed: int = 0) -> Estimate | None:
    """Estimate a figure of a metric; None where it was not observed.

    `figure` is a key of `PERCENTILES`, `mean`, `max` or `min`, or `value` for a metric with one value per run.
    """
    values = _values(run, definition, figure)
    if not len(values):
        return _of_histogram(run, definition, figure) if definition.name in run.histograms else None
    if figure == "value":
        return _of_run(run, definition, values, seed)
    return _of_values(values, figure, seed, definition.each == "sample")


def figure_of(run: Run, definition: Definition, figure: str) -> float:
    """The value that `estimate` gives for a figure, without an interval; NaN where it was not observed."""
    values = _values(run, definition, figure)
    if len(values):
        return _plain(values, figure)
    found = estimate(run, definition, figure)
    return math.nan if found is None else found.value


def run_figures(exchanges: Sequence[Observation], at: float, lasted: float = 0.0) -> Iterator[Observation]:
    """Rate and error rate of a run's exchanges: `Run.steady` observations of one metric of completions.

    A run of a client and one from telemetry, which `lasted` so many seconds, have the same definition of both; slash
    commands are in neither.
    """
    if exchanges:
        yield observed(definitions.RATE, float(answers_per_second(exchanges, lasted=lasted)[0]), at)
        failed = sum(row.failed for row in exchanges)
        yield observed(definitions.ERROR_RATE, 1000 * failed / len(exchanges), at)


def settled_slope(at: Sequence[float], values: Sequence[float]) -> float:
    """The slope (Theil-Sen) of memory over the sessions opened so far, or over the seconds since a run began.

    The first quarter of either is left out: there a server allocates what it needs once, and only a load test has a
    warm-up that would leave it out. A ramp of three steps needs all of them. NaN for fewer than three different `at`.
    """
    x, y = np.array(at, dtype=float), np.array(values, dtype=float)
    kept = x >= x.max(initial=0.0) / 4
    if len(np.unique(x[kept])) < 3:
        kept[:] = True
    return intervals.theil_sen_slope(x[kept], y[kept]).value


def ramp_step(run: Run) -> float:
    """The step of a run's ramp, the largest between its levels; 0 for a run without a ramp."""
    ramp = run.context.settings.get("ramp")
    step = ramp.get("step") if isinstance(ramp, dict) else None
    levels = ramp.get("levels") if isinstance(ramp, dict) else ()
    known = sorted(each for each in levels or () if isinstance(each, (int, float)))
    step = max((after - before for before, after in pairwise(known)), default=step)
    return float(step) if isinstance(step, (int, float)) and 0 < step < 1e9 else 0.0


def _values(run: Run, definition: Definition, figure: str) -> Values:
    """The values that a figure is made of: percentiles and the maximum are of failures too, as infinity."""
    values = values_of(run, definition)
    return values if figure in PERCENTILES or figure == "max" else values[np.isfinite(values)]


def _plain(values: Values, figure: str) -> float:
    if figure in PERCENTILES:
        return percentile(np.sort(values), PERCENTILES[figure])
    plain = {"max": values.max(), "min": values.min(), "mean": values.mean(), "value": values[-1]}
    return float(plain[figure])


def _of_values(values: Values, figure: str, seed: int, samples: bool) -> Estimate:
    """Estimate a figure of many values; `samples` of a level that drifts, such as memory, are alike by nature."""
    n, value, percent = len(values), _plain(values, figure), PERCENTILES.get(figure)
    if figure in ("max", "min"):
        return Estimate(without_interval(value), n, lacking="an extreme has no interval")
    worth = float(n) if samples else effective_size(values, percent)
    if percent is None:
        if n < FEWEST:
            return Estimate(without_interval(value), n, FEWEST, values, worth, "so few have no interval")
        draws = intervals.mean_draws(values, seed)
        return Estimate(intervals.bootstrap_interval(value, draws, worth=worth), n, FEWEST, values, worth)
    ordered = np.sort(values)
    found = _between(value, n, percent, worth, lambda at: float(ordered[at - 1]))
    if n >= FEWEST:
        draws = intervals.percentile_draws(values, percent, seed)
        found = intervals.wider(found, intervals.bootstrap_interval(value, draws, worth=worth))
    needed = math.ceil(intervals.min_observations(percent) * n / worth)
    return Estimate(found, n, needed, values, worth)


def _between(value: float, n: int, percent: float, worth: float, value_at: Callable[[int], float]) -> UncertainValue:
    """A percentile with the interval between two order statistics; `value_at` returns the value of a rank (from 1).

    The ranks are those of `worth` independent values, at the same shares of the n values.
    """
    size = max(1, int(worth))

    def bounds(confidence: float) -> intervals.Bounds:
        low, high = intervals.order_statistics(size, percent, confidence)
        least = value_at(max(1, math.floor((low - 0.5) * n / size + 0.5))) if low else min(0.0, value_at(1))
        most = value_at(min(n, math.ceil((high - 0.5) * n / size + 0.5))) if high <= size else math.inf
        return min(least, value), max(most, value)

    return UncertainValue(value, bounds)


def _of_histogram(run: Run, definition: Definition, figure: str) -> Estimate | None:
    values, counts = histogram_values(run.histograms[definition.name])
    n = int(counts.sum())
    if not n:
        return None
    if figure not in PERCENTILES:
        plain = {"mean": float(np.average(values, weights=counts)), "max": float(values[-1]), "min": float(values[0])}
        return Estimate(without_interval(plain[figure]), n, lacking="a histogram keeps no order of time")
    percent, upto = PERCENTILES[figure], np.cumsum(counts)

    def value_at(place: int) -> float:
        return float(values[np.searchsorted(upto, place)])

    value = value_at(rank(n, percent))
    return Estimate(_between(value, n, percent, n, value_at), n, intervals.min_observations(percent))


def _of_run(run: Run, definition: Definition, values: Values, seed: int) -> Estimate:
    """A metric with one value per run; its interval is computed from the observations behind that value."""
    value, estimator = float(values[-1]), _RUN_ESTIMATES.get(definition.name)
    found = estimator(run, value, seed) if estimator else None
    return found or Estimate(without_interval(value), len(values), lacking="one value of one run has no interval")


def _exchanges(run: Run) -> list[Observation]:
    """One observation per exchange: the client's completions, or the server's where there are none."""
    return run.steady(definitions.COMPLETION) or run.steady(definitions.SERVER_COMPLETION)


def _rate(run: Run, value: float, seed: int) -> Estimate | None:
    exchanges = _exchanges(run)
    lasted = run.context.duration if run.context.source == "telemetry" else 0.0
    rates = answers_per_second(exchanges, BLOCKS, lasted)
    if len(exchanges) < FEWEST or not rates.any():
        return None
    worth = effective_size(np.array([row.value for row in exchanges if not (row.failed or is_missing(row.value))]))
    steady_rate = float(rates.mean())
    found = intervals.bootstrap_interval(steady_rate, intervals.mean_draws(rates, seed), worth=worth)
    return Estimate(found, len(exchanges), FEWEST)


def _errors(run: Run, value: float, seed: int) -> Estimate | None:
    """The share of failures; None where the run's value is of other exchanges than those that were observed."""
    failed = np.array([float(row.failed) for row in _exchanges(run)])
    n, hits = len(failed), int(failed.sum())
    if not n or not math.isclose(1000 * hits / n, value, rel_tol=0.02, abs_tol=0.5):
        return None
    found = intervals.exact_proportion(hits, n)
    if n >= FEWEST:
        found = intervals.wider(found, intervals.bootstrap_interval(hits / n, intervals.mean_draws(failed, seed)))
    return Estimate(intervals.transformed(found, lambda share: 1000 * share), n, FEWEST)


def _growth(run: Run, value: float, seed: int) -> Estimate | None:
    rows = run.steady(definitions.MEMORY)
    return _slope(value, [row.at for row in rows], [row.value for row in rows])


def _per_session(run: Run, value: float, seed: int) -> Estimate | None:
    rows = [row for row in run.observations if row.metric == definitions.MEMORY.name]
    rows.sort(key=lambda row: row.at)
    starts = sorted(
        row.at + row.value
        for row in run.observations
        if row.metric == definitions.SESSION_START.name and not row.failed and not is_missing(row.value)
    )
    opened = np.searchsorted(starts, [row.at for row in rows], side="right")
    return _slope(value, [float(count) for count in opened], [row.value for row in rows])


def _slope(value: float, at: list[float], values: list[float]) -> Estimate | None:
    """The run's slope with an interval as wide as that of the slope of its samples."""
    if len(at) < _FEWEST_SAMPLES:
        return None
    fitted = intervals.theil_sen_slope(np.array(at), np.array(values))
    if math.isnan(fitted.value):
        return None

    def bounds(confidence: float) -> intervals.Bounds:
        low, high = fitted.bounds(confidence)
        return min(value, value + low - fitted.value), max(value, value + high - fitted.value)

    return Estimate(UncertainValue(value, bounds), len(at))


def _stable(run: Run, value: float, seed: int) -> Estimate | None:
    """The largest level that was stable; the true limit is below the next level, which was not."""
    step = ramp_step(run)
    return Estimate(UncertainValue(value, lambda confidence: (value, value + step)), 1) if step else None


_RUN_ESTIMATES: Final[dict[str, Callable[[Run, float, int], Estimate | None]]] = {
    definitions.RATE.name: _rate,
    definitions.STABLE_SESSIONS.name: _stable,
    definitions.STABLE_RATE.name: _stable,
    definitions.ERROR_RATE.name: _errors,
    definitions.MEMORY_GROWTH.name: _growth,
    definitions.MEMORY_PER_SESSION.name: _per_session,
}


def answers_per_second(exchanges: Sequence[Observation], blocks: int = 1, lasted: float = 0.0) -> Values:
    """Successful answers per second in each of `blocks` intervals of equal length: an array of shape (blocks,).

    `exchanges` are observations of completions: `at` is when each was planned and `value` how long it took, in seconds.
    Each answer is spread evenly over the time it took, and the rate covers the time from when the first answers are
    complete to the start of the last exchange, failed or not. Dividing the number of completions by the duration would
    lose up to one answer of each session at both ends: a quarter of all answers where each session gives four. Only a
    few, without a steady middle, are divided by the time to the last answer, or by the seconds that the run `lasted`.
    All zeros where no exchange succeeded.
    """
    good = [row for row in exchanges if not row.failed and not is_missing(row.value)]
    if not good:
        return np.zeros(blocks)
    begin = np.array([row.at for row in good])
    took = np.maximum([row.value for row in good], _INSTANT)
    start, end = min(row.at for row in exchanges), max(row.at for row in exchanges)
    settled, last = start + float(np.median(took)), max(end, float((begin + took).max()))
    if len(good) >= FEWEST and settled < (start + end) / 2:
        start = settled
    else:
        start, end = (0.0, max(lasted, last)) if lasted else (start, last)
    edges = np.linspace(start, end, blocks + 1)
    done = np.array([np.clip((edge - begin) / took, 0, 1).sum() for edge in edges])
    rates: Values = np.diff(done) / np.diff(edges)
    return rates
