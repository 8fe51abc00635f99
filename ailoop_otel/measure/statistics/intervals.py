"""Confidence intervals: how far a figure may be from its value in a longer run of the same kind.

Sources:
- Block bootstrap: Carlstein 1986, "The use of subseries values for estimating the variance of a general statistic from
  a stationary sequence". Values that are neighbours in time are drawn together, so that bursts, pauses and drifts
  widen the interval; drawing single observations would treat them as independent.
- Expanded percentile interval: Hesterberg 2014, "What teachers should know about the bootstrap", section 4.1. It
  corrects percentile intervals, which are too narrow when they rest on few blocks.
- Order statistics: Conover 1999, "Practical nonparametric statistics", section 3.2: each bound is that of the exact
  binomial quantile test of section 3.1.
- Proportion: Clopper and Pearson 1934, exact. Difference and ratio: MOVER, Zou and Donner 2008; of logarithms for a
  ratio.
- Slope: Theil and Sen, with Sen's 1968 interval, computed by scipy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import numpy as np

# Its modules are loaded by their first use: `special` takes a fifth of a second, and `stats` three times that.
import scipy
from numpy.typing import NDArray

from ailoop_otel.measure.statistics.percentiles import Values, rank

CONFIDENCE: Final = 0.95
BLOCKS: Final = 12
RESAMPLES: Final = 2000

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class UncertainValue:
    """A value and a function from a confidence level (0 to 1) to its interval, both in the unit of the value.

    The bounds are NaN where no interval is known.
    """

    value: float
    bounds: Callable[[float], Bounds]

    def __post_init__(self) -> None:
        """Compute each interval once: verdict, reason and report ask for the same ones."""
        object.__setattr__(self, "bounds", cache(self.bounds))


def without_interval(value: float) -> UncertainValue:
    """A value whose interval is unknown: its bounds are NaN."""
    return UncertainValue(value, lambda confidence: (math.nan, math.nan))


def percentile_draws(values: Values, percent: float, seed: int, blocks: int = BLOCKS) -> Values:
    """Draw a percentile by block bootstrap (Carlstein 1986): an array of shape (RESAMPLES,), in the values' unit.

    `values` are in order of time, infinity allowed; `percent` is 0 to 100. The draws are the nearest-rank percentiles
    of the resamples. The same seed gives the same draws. Raises ValueError for fewer values than blocks.
    """
    distinct, places = np.unique(values, return_inverse=True)
    counts = [np.bincount(block, minlength=len(distinct)) for block in _split(places, blocks)]
    # How many values of each block are less than or equal to each distinct value.
    upto = np.cumsum(counts, axis=1, dtype=np.int32)
    drawn = _block_counts(blocks, seed)
    sizes, place = np.unique((drawn @ upto[:, -1]).astype(int), return_inverse=True)
    wanted = np.array([rank(size, percent) for size in sizes.tolist()])[place]
    # All resamples are searched at once, by halves, for the value of the wanted rank.
    low, high = np.zeros(len(drawn), dtype=int), np.full(len(drawn), len(distinct) - 1)
    while (low < high).any():
        middle = (low + high) // 2
        reached = np.einsum("rb,br->r", drawn, upto[:, middle]) >= wanted
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    draws: Values = distinct[low]
    return draws


def mean_draws(values: Values, seed: int, blocks: int = BLOCKS) -> Values:
    """Draw means by block bootstrap (Carlstein 1986): an array of shape (RESAMPLES,) in the unit of the values.

    `values` are finite and in order of time. Raises ValueError for fewer values than blocks.
    """
    parts = _split(values, blocks)
    weights = _block_counts(blocks, seed)
    sums, sizes = (np.array([part.sum() for part in parts]), np.array([len(part) for part in parts]))
    means: Values = (weights @ sums) / (weights @ sizes)
    return means


def bootstrap_interval(value: float, draws: Values, units: int = BLOCKS, worth: float = math.inf) -> UncertainValue:
    """A value with the expanded percentile interval (Hesterberg 2014, section 4.1) of its bootstrap draws.

    `units` is how many blocks, or pairs of rounds, the draws were made of; `worth` how many independent values the
    data are worth: with fewer than units, the blocks are not independent, and the interval is as much wider as
    Student's interval of so few is. The interval always holds the value.
    """
    ordered = np.sort(draws)
    kept = max(2.0, min(float(units), worth))

    def bounds(confidence: float) -> Bounds:
        tail = (1 - confidence) / 2
        wide = scipy.special.ndtr(_student(tail, units - 1) * math.sqrt(units / (units - 1)))
        last = len(ordered) - 1
        place = math.floor(wide * last)
        low, high = min(float(ordered[place]), value), max(float(ordered[last - place]), value)
        if kept == units:
            return low, high
        factor = _student(tail, kept - 1) / _student(tail, units - 1) * math.sqrt(units / kept)
        # What is never negative does not become so by widening.
        return max(value - factor * (value - low), min(0.0, ordered[0])), value + factor * (high - value)

    return UncertainValue(value, bounds)


def student_interval(value: float, error: float, degrees: int) -> UncertainValue:
    """A mean, or a difference of means, with Student's interval: `error` is its standard error."""

    def bounds(confidence: float) -> Bounds:
        width = _student((1 + confidence) / 2, degrees) * error
        return value - width, value + width

    return UncertainValue(value, bounds)


@lru_cache(maxsize=1024)
def order_statistics(n: int, percent: float, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """The ranks (from 1) of the two order statistics between which a percentile of n independent values lies.

    Each bound is one of a one-sided test (Conover 1999, section 3.2); rank 0, or n + 1, is no bound on that side,
    where n is too small for one.
    """
    share, tail = percent / 100, (1 - confidence) / 2
    low = _binomial(tail, n, share)
    if scipy.special.bdtr(low, n, share) > tail:
        low -= 1
    return low + 1, _binomial(1 - tail, n, share) + 1


def min_observations(percent: float) -> int:
    """The smallest n for which `order_statistics` has a bound on both sides; `percent` is 0 to 100, exclusive."""
    rarer = min(percent, 100 - percent) / 100
    return math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log1p(-rarer))


def exact_proportion(hits: int, n: int) -> UncertainValue:
    """The proportion hits / n with the exact interval of Clopper and Pearson 1934; 0 <= hits <= n, n at least 1."""

    def bounds(confidence: float) -> Bounds:
        tail = (1 - confidence) / 2
        low = scipy.special.betaincinv(hits, n - hits + 1, tail) if hits else 0.0
        high = scipy.special.betaincinv(hits + 1, n - hits, 1 - tail) if hits < n else 1.0
        return float(low), float(high)

    return UncertainValue(hits / n, bounds)


def theil_sen_slope(at: Values, values: Values) -> UncertainValue:
    """The Theil-Sen slope of `values` over `at`, in the unit of the values per unit of `at`, with Sen's 1968 interval.

    Both are one-dimensional, of one length and in order of time. Slope and interval are those of the medians of three
    times `BLOCKS` blocks, since neighbouring samples are not independent. NaN for fewer than three different `at`.
    """
    if len(np.unique(at)) < 3:
        return without_interval(math.nan)
    parts = min(3 * BLOCKS, len(values))
    x = np.array([np.median(part) for part in _split(at, parts)])
    y = np.array([np.median(part) for part in _split(values, parts)])

    def bounds(confidence: float) -> Bounds:
        found = scipy.stats.theilslopes(y, x, confidence)
        return float(found.low_slope), float(found.high_slope)

    one, other = np.triu_indices(parts, 1)
    apart = x[one] != x[other]
    slopes = (y[one] - y[other])[apart] / (x[one] - x[other])[apart]
    return UncertainValue(float(np.median(slopes)), bounds)


def mover_difference(one: UncertainValue, other: UncertainValue) -> UncertainValue:
    """The difference of two independent values in one unit, with its interval by MOVER (Zou and Donner 2008).

    Where a value or a bound is infinite, the bounds are those of two intervals that are both at their ends.
    """
    value = one.value - other.value

    def bounds(confidence: float) -> Bounds:
        low, high = one.bounds(confidence)
        other_low, other_high = other.bounds(confidence)
        least, most = low - other_high, high - other_low
        if math.isfinite(least) and math.isfinite(value):
            least = value - math.hypot(one.value - low, other_high - other.value)
        if math.isfinite(most) and math.isfinite(value):
            most = value + math.hypot(high - one.value, other.value - other_low)
        return least, most

    return UncertainValue(value, bounds)


def mover_ratio(one: UncertainValue, other: UncertainValue) -> UncertainValue:
    """The ratio of two independent values less 1, with the interval of the difference of their logarithms."""
    return relative_change(mover_difference(transformed(one, _logarithm), transformed(other, _logarithm)))


def relative_change(shift: UncertainValue) -> UncertainValue:
    """A difference of logarithms as a ratio less 1."""
    return transformed(shift, np.expm1)


def transformed(uncertain: UncertainValue, function: Callable[[float], float]) -> UncertainValue:
    """An increasing function of a value, with that of its bounds."""

    def bounds(confidence: float) -> Bounds:
        low, high = uncertain.bounds(confidence)
        return float(function(low)), float(function(high))

    return UncertainValue(float(function(uncertain.value)), bounds)


def wider(one: UncertainValue, other: UncertainValue) -> UncertainValue:
    """The first value with the smallest interval that holds both intervals."""

    def bounds(confidence: float) -> Bounds:
        low, high = zip(one.bounds(confidence), other.bounds(confidence), strict=True)
        return min(low), max(high)

    return UncertainValue(one.value, bounds)


def _logarithm(value: float) -> float:
    """The logarithm of a value of at least 0; a bound below 0 is none."""
    with np.errstate(divide="ignore"):
        return float(np.log(np.maximum(value, 0.0)))


def _student(share: float, degrees: float) -> float:
    """The quantile of Student's distribution."""
    return float(scipy.special.stdtrit(degrees, share))


def _binomial(share: float, n: int, chance: float) -> int:
    """The quantile of the binomial distribution: the smallest k for which P(X <= k) is at least `share`."""
    k = max(0, math.ceil(scipy.special.bdtrik(share, n, chance)) - 1)
    return k if scipy.special.bdtr(k, n, chance) >= share else k + 1


def _split(values: NDArray[np.float64] | NDArray[np.intp], blocks: int) -> list[NDArray[np.float64]]:
    if len(values) < blocks:
        raise ValueError(f"{len(values)} values cannot be cut into {blocks} blocks")
    return np.array_split(values, blocks)


@lru_cache(maxsize=8)
def _block_counts(blocks: int, seed: int) -> NDArray[np.float32]:
    """How often each block is drawn: shape (RESAMPLES, blocks); the same for the same seed."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES).astype(np.float32)
