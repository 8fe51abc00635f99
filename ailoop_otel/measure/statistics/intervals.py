"""Confidence intervals: how far a figure may be from what it would be over a longer run of the same kind.

Sources:
- Block bootstrap: Carlstein 1986, "The use of subseries values for estimating the variance of a general statistic from
  a stationary sequence". Neighbours in time are drawn together, so that bursts, pauses and drifts widen the interval
  as they should; drawing single observations would call them independent.
- Expanded percentile interval: Hesterberg 2014, "What teachers should know about the bootstrap", section 4.1, which
  undoes the narrowness of percentile intervals made of few blocks.
- Order statistics: Conover 1999, "Practical nonparametric statistics", section 3.2.
- Wilson 1927 for a proportion; MOVER, Zou and Donner 2008, for a difference (with Wilson's intervals it is Newcombe's
  1998 method 10).
- Slope: Theil and Sen, with Sen's 1968 interval, by scipy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ailoop_otel.measure.statistics.percentiles import Values, rank

CONFIDENCE: Final = 0.95
BLOCKS: Final = 12
RESAMPLES: Final = 2000
# Percentiles of more distinct values than this are drawn from so many bins of equal count.
BINS: Final = 500

Bounds = tuple[float, float]
NO_BOUNDS: Final[Bounds] = (math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class UncertainValue:
    """A number and, for any confidence (0.95, say), its interval; NaN bounds where there is no way to tell."""

    value: float
    bounds: Callable[[float], Bounds]


def without_interval(value: float) -> UncertainValue:
    """A number of which nobody knows how uncertain it is."""
    return UncertainValue(value, lambda confidence: NO_BOUNDS)


def percentile_draws(values: Values, percents: list[float], seed: int, blocks: int = BLOCKS) -> list[Values]:
    """Nearest-rank percentiles of resamples of values in order of time (infinity allowed): an array per percentage.

    ValueError for fewer values than blocks.
    """
    distinct = _bins(np.sort(values))
    places = np.searchsorted(distinct, values)
    counts = [np.bincount(block, minlength=len(distinct)) for block in _cut(places, blocks)]
    # How many values of a resample are no larger than each distinct one.
    # (By einsum, since a product this small is not worth the threads that `@` would start.)
    upto = np.einsum("rb,bk->rk", _weights(blocks, seed), np.cumsum(counts, axis=1, dtype=np.float32))
    totals = upto[:, -1].astype(int)
    ranks = {total: [rank(total, percent) for percent in percents] for total in np.unique(totals).tolist()}
    wanted = np.array([ranks[total] for total in totals.tolist()])
    return [distinct[np.argmax(upto >= wanted[:, [column]], axis=1)] for column in range(len(percents))]


def mean_draws(values: Values, seed: int, blocks: int = BLOCKS) -> Values:
    """Means of resamples of finite values in order of time; ValueError for fewer values than blocks."""
    parts = _cut(values, blocks)
    weights = _weights(blocks, seed)
    sums, sizes = (np.array([part.sum() for part in parts]), np.array([len(part) for part in parts]))
    means: Values = (weights @ sums) / (weights @ sizes)
    return means


def bootstrap_interval(value: float, draws: Values, units: int = BLOCKS) -> UncertainValue:
    """A number with the expanded percentile interval of its bootstrap draws, made of so many blocks (or pairs)."""
    ordered = np.sort(draws)

    def bounds(confidence: float) -> Bounds:
        wide = stats.norm.cdf(stats.t.ppf((1 - confidence) / 2, units - 1) * math.sqrt(units / (units - 1)))
        last = len(ordered) - 1
        low = math.floor(wide * last)
        return min(float(ordered[low]), value), max(float(ordered[last - low]), value)

    return UncertainValue(value, bounds)


def order_statistics(n: int, percent: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Ranks (from 1) of the two of n independent values between which a percentile lies, or None for too few values."""
    share, tail = percent / 100, (1 - confidence) / 2
    low = int(stats.binom.ppf(tail, n, share))
    if stats.binom.cdf(low, n, share) > tail:
        low -= 1
    high = int(stats.binom.ppf(1 - tail, n, share)) + 1
    return (low + 1, high) if low >= 0 and high <= n else None


def min_observations(percent: float, confidence: float = CONFIDENCE) -> int:
    """How many values a percentile must rest on to have a bound on both sides."""
    rarer = min(percent, 100 - percent) / 100
    return math.ceil(math.log((1 - confidence) / 2) / math.log1p(-rarer))


def wilson_interval(hits: int, n: int) -> UncertainValue:
    """A proportion with Wilson's interval; n at least 1."""

    def bounds(confidence: float) -> Bounds:
        interval = stats.binomtest(hits, n).proportion_ci(confidence, method="wilson")
        return float(interval.low), float(interval.high)

    return UncertainValue(hits / n, bounds)


def theil_sen_slope(at: Values, values: Values, blocks: int = 3 * BLOCKS) -> UncertainValue:
    """The slope of values over `at` (Theil-Sen), with Sen's interval of the medians of blocks: neighbours are alike."""
    if len(np.unique(at)) < 3:
        return without_interval(math.nan)
    parts = min(blocks, len(values))
    x = np.array([np.median(part) for part in _cut(at, parts)])
    y = np.array([np.median(part) for part in _cut(values, parts)])

    def bounds(confidence: float) -> Bounds:
        found = stats.theilslopes(y, x, confidence)
        return float(found.low_slope), float(found.high_slope)

    return UncertainValue(float(stats.theilslopes(y, x).slope), bounds)


def mover_difference(one: UncertainValue, other: UncertainValue) -> UncertainValue:
    """One number less another that is independent of it, with its interval from theirs (MOVER)."""
    value = one.value - other.value

    def bounds(confidence: float) -> Bounds:
        low, high = one.bounds(confidence)
        other_low, other_high = other.bounds(confidence)
        return (
            value - math.hypot(one.value - low, other_high - other.value),
            value + math.hypot(high - one.value, other.value - other_low),
        )

    return UncertainValue(value, bounds)


def wider(one: UncertainValue, other: UncertainValue) -> UncertainValue:
    """The first number with an interval that holds both intervals."""

    def bounds(confidence: float) -> Bounds:
        low, high = zip(one.bounds(confidence), other.bounds(confidence), strict=True)
        return min(low), max(high)

    return UncertainValue(one.value, bounds)


def scaled(uncertain: UncertainValue, factor: float) -> UncertainValue:
    """A number and its interval times a positive factor."""

    def bounds(confidence: float) -> Bounds:
        low, high = uncertain.bounds(confidence)
        return low * factor, high * factor

    return UncertainValue(uncertain.value * factor, bounds)


def _bins(ordered: Values) -> Values:
    """The distinct values, or those that part the sorted values into bins of equal count; the last is the largest."""
    distinct = np.unique(ordered)
    if len(distinct) <= BINS:
        return distinct
    return np.unique(ordered[np.linspace(0, len(ordered) - 1, BINS).round().astype(int)])


def _cut(values: NDArray[np.float64] | NDArray[np.intp], blocks: int) -> list[NDArray[np.float64]]:
    if len(values) < blocks:
        raise ValueError(f"{len(values)} values cannot be cut into {blocks} blocks")
    return np.array_split(values, blocks)


def _weights(blocks: int, seed: int) -> NDArray[np.float32]:
    """How often each block is drawn, one row for each resample; the same for the same seed."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES).astype(np.float32)
