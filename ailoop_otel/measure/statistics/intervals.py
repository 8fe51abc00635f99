"""Confidence intervals: how far a figure may be from its value in a longer run of the same kind.

Sources:
- Block bootstrap: Carlstein 1986, "The use of subseries values for estimating the variance of a general statistic from
  a stationary sequence". Values that are neighbours in time are drawn together, so that bursts, pauses and drifts
  widen the interval; drawing single observations would treat them as independent.
- Expanded percentile interval: Hesterberg 2014, "What teachers should know about the bootstrap", section 4.1. It
  corrects percentile intervals, which are too narrow when they rest on few blocks.
- Order statistics: Conover 1999, "Practical nonparametric statistics", section 3.2.
- Proportion: Wilson 1927. Difference: MOVER, Zou and Donner 2008 (with Wilson's intervals it is Newcombe's 1998
  method 10).
- Slope: Theil and Sen, with Sen's 1968 interval, computed by scipy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

# Its module `stats`, which takes a second to import, is loaded by the first use of an interval, not by each command.
import scipy
from numpy.typing import NDArray

from ailoop_otel.measure.statistics.percentiles import Values, rank

CONFIDENCE: Final = 0.95
BLOCKS: Final = 12
RESAMPLES: Final = 2000
# More distinct values than this are put into so many bins of equal count before percentiles are drawn.
BINS: Final = 500

Bounds = tuple[float, float]
NO_BOUNDS: Final[Bounds] = (math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class UncertainValue:
    """A value and a function from a confidence level (0 to 1) to its interval, both in the unit of the value.

    The bounds are NaN where no interval is known.
    """

    value: float
    bounds: Callable[[float], Bounds]


def without_interval(value: float) -> UncertainValue:
    """A value whose interval is unknown: its bounds are NaN."""
    return UncertainValue(value, lambda confidence: NO_BOUNDS)


def percentile_draws(values: Values, percents: list[float], seed: int, blocks: int = BLOCKS) -> list[Values]:
    """Draw percentiles by block bootstrap (Carlstein 1986): `RESAMPLES` draws for each percentage.

    `values` are in order of time, infinity allowed; `percents` are 0 to 100. Returns one array of shape (RESAMPLES,)
    for each percentage, in the unit of the values: the nearest-rank percentiles of the resamples. The same seed gives
    the same draws. Raises ValueError for fewer values than blocks.
    """
    distinct = _bins(np.sort(values))
    places = np.searchsorted(distinct, values)
    counts = [np.bincount(block, minlength=len(distinct)) for block in _split(places, blocks)]
    # For each resample, how many of its values are less than or equal to each distinct value.
    # einsum, because `@` would start threads for a product this small.
    upto = np.einsum("rb,bk->rk", _block_counts(blocks, seed), np.cumsum(counts, axis=1, dtype=np.float32))
    totals = upto[:, -1].astype(int)
    ranks = {total: [rank(total, percent) for percent in percents] for total in np.unique(totals).tolist()}
    wanted = np.array([ranks[total] for total in totals.tolist()])
    return [distinct[np.argmax(upto >= wanted[:, [column]], axis=1)] for column in range(len(percents))]


def mean_draws(values: Values, seed: int, blocks: int = BLOCKS) -> Values:
    """Draw means by block bootstrap (Carlstein 1986): an array of shape (RESAMPLES,) in the unit of the values.

    `values` are finite and in order of time. Raises ValueError for fewer values than blocks.
    """
    parts = _split(values, blocks)
    weights = _block_counts(blocks, seed)
    sums, sizes = (np.array([part.sum() for part in parts]), np.array([len(part) for part in parts]))
    means: Values = (weights @ sums) / (weights @ sizes)
    return means


def bootstrap_interval(value: float, draws: Values, units: int = BLOCKS) -> UncertainValue:
    """A value with the expanded percentile interval (Hesterberg 2014, section 4.1) of its bootstrap draws.

    `units` is how many blocks, or pairs of rounds, the draws were made of. The interval always holds the value.
    """
    ordered = np.sort(draws)

    def bounds(confidence: float) -> Bounds:
        wide = scipy.stats.norm.cdf(scipy.stats.t.ppf((1 - confidence) / 2, units - 1) * math.sqrt(units / (units - 1)))
        last = len(ordered) - 1
        low = math.floor(wide * last)
        return min(float(ordered[low]), value), max(float(ordered[last - low]), value)

    return UncertainValue(value, bounds)


def order_statistics(n: int, percent: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """The ranks (from 1) of the two order statistics between which a percentile of n independent values lies.

    None where n is too small for a bound on both sides (Conover 1999, section 3.2).
    """
    share, tail = percent / 100, (1 - confidence) / 2
    low = int(scipy.stats.binom.ppf(tail, n, share))
    if scipy.stats.binom.cdf(low, n, share) > tail:
        low -= 1
    high = int(scipy.stats.binom.ppf(1 - tail, n, share)) + 1
    return (low + 1, high) if low >= 0 and high <= n else None


def min_observations(percent: float, confidence: float = CONFIDENCE) -> int:
    """The smallest n for which `order_statistics` has a bound on both sides; `percent` is 0 to 100, exclusive."""
    rarer = min(percent, 100 - percent) / 100
    return math.ceil(math.log((1 - confidence) / 2) / math.log1p(-rarer))


def wilson_interval(hits: int, n: int) -> UncertainValue:
    """The proportion hits / n with the score interval of Wilson 1927; 0 <= hits <= n, n at least 1."""

    def bounds(confidence: float) -> Bounds:
        interval = scipy.stats.binomtest(hits, n).proportion_ci(confidence, method="wilson")
        return float(interval.low), float(interval.high)

    return UncertainValue(hits / n, bounds)


def theil_sen_slope(at: Values, values: Values, blocks: int = 3 * BLOCKS) -> UncertainValue:
    """The Theil-Sen slope of `values` over `at`, in the unit of the values per unit of `at`, with Sen's 1968 interval.

    Both are one-dimensional, of one length and in order of time. Slope and interval are those of the medians of
    `blocks` blocks, since neighbouring samples are not independent. NaN for fewer than three different `at`.
    """
    if len(np.unique(at)) < 3:
        return without_interval(math.nan)
    parts = min(blocks, len(values))
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
    """The difference of two independent values in one unit, with its interval by MOVER (Zou and Donner 2008)."""
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
    """The first value with the smallest interval that holds both intervals."""

    def bounds(confidence: float) -> Bounds:
        low, high = zip(one.bounds(confidence), other.bounds(confidence), strict=True)
        return min(low), max(high)

    return UncertainValue(one.value, bounds)


def scaled(uncertain: UncertainValue, factor: float) -> UncertainValue:
    """A value and its interval, multiplied by a positive factor."""

    def bounds(confidence: float) -> Bounds:
        low, high = uncertain.bounds(confidence)
        return low * factor, high * factor

    return UncertainValue(uncertain.value * factor, bounds)


def _bins(ordered: Values) -> Values:
    """The distinct values, or at most `BINS` of them that split the ascending values into bins of equal count."""
    distinct = np.unique(ordered)
    if len(distinct) <= BINS:
        return distinct
    return np.unique(ordered[np.linspace(0, len(ordered) - 1, BINS).round().astype(int)])


def _split(values: NDArray[np.float64] | NDArray[np.intp], blocks: int) -> list[NDArray[np.float64]]:
    if len(values) < blocks:
        raise ValueError(f"{len(values)} values cannot be cut into {blocks} blocks")
    return np.array_split(values, blocks)


def _block_counts(blocks: int, seed: int) -> NDArray[np.float32]:
    """How often each block is drawn: shape (RESAMPLES, blocks); the same for the same seed."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES).astype(np.float32)
