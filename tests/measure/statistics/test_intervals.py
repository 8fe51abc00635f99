"""Confidence intervals, against published examples, scipy, and what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ailoop_otel.measure.statistics import intervals
from ailoop_otel.measure.statistics.intervals import UncertainValue
from ailoop_otel.measure.statistics.percentiles import Values, percentile
from tests.measure.latencies import latencies


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 5.
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_a_proportion_is_exact(hits: int, n: int, low: float, high: float) -> None:
    """As published."""
    assert intervals.exact_proportion(hits, n).bounds(0.95) == pytest.approx((low, high), abs=5e-5)


def test_a_difference_and_a_ratio_worked_by_hand() -> None:
    """The distances of the bounds from their values add up as the sides of a right angle; of logarithms for a ratio."""
    one, other = UncertainValue(10.0, lambda c: (7.0, 14.0)), UncertainValue(5.0, lambda c: (1.0, 8.0))
    assert intervals.mover_difference(one, other).bounds(0.95) == pytest.approx(
        (5 - math.hypot(3, 3), 5 + math.hypot(4, 4))
    )
    found = intervals.mover_ratio(UncertainValue(8.0, lambda c: (4.0, 16.0)), UncertainValue(2.0, lambda c: (1.0, 4.0)))
    assert found.value == pytest.approx(3.0)
    assert found.bounds(0.95) == pytest.approx((4 * 2 ** -math.sqrt(2) - 1, 4 * 2 ** math.sqrt(2) - 1))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((math.inf, 3.0, math.inf), (1.0, 0.5, 2.0), (math.inf, 0.5, math.inf)),
        ((2.0, 1.0, math.inf), (1.0, 0.0, 2.0), (1.0, -0.41421, math.inf)),
        ((2.0, 0.0, 3.0), (1.0, 0.5, 2.0), (1.0, -math.inf, 1.41)),
    ],
)
def test_a_ratio_of_what_has_no_bound(
    one: tuple[float, ...], other: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    """Failures make a value infinite, and few values leave a side open: no bound becomes NaN."""
    (value, *bounds), (other_value, *other_bounds) = one, other
    found = intervals.mover_ratio(
        UncertainValue(value, lambda c: (bounds[0], bounds[1])),
        UncertainValue(other_value, lambda c: (other_bounds[0], other_bounds[1])),
    )
    assert found.value == expected[0]
    low, high = found.bounds(0.95)
    assert not math.isnan(low)
    assert not math.isnan(high)
    assert math.isinf(high) == math.isinf(expected[2])


def test_students_interval_is_scipys() -> None:
    """Of one sample's mean."""
    values = latencies(1, 9)
    found = intervals.student_interval(float(values.mean()), float(values.std(ddof=1)) / 3, 8)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert found.bounds(0.95) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("n", "ranks"),
    # The usual table of 95 % intervals of a median, in Altman et al. 2000, "Statistics with confidence".
    [(5, (0, 6)), (6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (30, (10, 21)), (50, (18, 33)), (100, (40, 61))],
)
def test_the_ranks_of_a_median_are_those_of_the_table(n: int, ranks: tuple[int, int]) -> None:
    """As published; five have neither bound."""
    assert intervals.order_statistics(n, 50) == ranks


@settings(deadline=None)
@given(st.integers(5, 400), st.sampled_from([50.0, 90.0, 95.0]), st.sampled_from([0.9, 0.95, 0.99]))
def test_order_statistics_are_scipys(n: int, percent: float, confidence: float) -> None:
    """scipy's quantile_test gives the same two values, and NaN on a side that has no bound."""
    interval = stats.quantile_test(np.arange(1, n + 1), p=percent / 100).confidence_interval(confidence)
    ranks = intervals.order_statistics(n, percent, confidence)
    low, high = (
        missing if math.isnan(bound) else bound for bound, missing in ((interval.low, 0), (interval.high, n + 1))
    )
    assert ranks == (low, high)


@pytest.mark.parametrize(("percent", "fewest"), [(50.0, 6), (90.0, 36), (95.0, 72), (99.0, 368)])
def test_fewest_is_the_first_number_with_two_bounds(percent: float, fewest: int) -> None:
    """One fewer has none."""
    assert intervals.min_observations(percent) == fewest
    assert intervals.order_statistics(fewest, percent)[1] == fewest
    assert intervals.order_statistics(fewest - 1, percent)[1] == fewest


@pytest.mark.parametrize("figure", ["p50", "p90", "mean"])
def test_the_bootstrap_is_scipys(figure: str) -> None:
    """Blocks of one value each make the ordinary bootstrap, expanded as in Hesterberg 2014."""
    values, n = latencies(1, 60, memory=0.0), 60
    if figure == "mean":
        value, draws = float(values.mean()), intervals.mean_draws(values, 1, blocks=n)
    else:
        percent = float(figure[1:])
        value = percentile(np.sort(values), percent)
        draws = intervals.percentile_draws(values, percent, 1, blocks=n)
    wide = stats.norm.cdf(math.sqrt(n / (n - 1)) * stats.t.ppf(0.025, n - 1))

    def statistic(sample: Values, axis: int) -> Values:
        if figure == "mean":
            return np.asarray(sample.mean(axis=axis))
        return np.asarray(np.percentile(sample, float(figure[1:]), axis=axis, method="inverted_cdf"))

    expected = stats.bootstrap(
        (values,), statistic, confidence_level=1 - 2 * wide, method="percentile", n_resamples=4000, rng=7
    ).confidence_interval
    low, high = intervals.bootstrap_interval(value, draws, n).bounds(0.95)
    width = expected.high - expected.low
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.12 * width)


def test_an_interval_of_dependent_values_holds_what_it_promises() -> None:
    """Of 60 runs with neighbours alike, about 57 hold the true median; drawn one by one they would not."""
    blocks, single = 0, 0
    for seed in range(60):
        values = latencies(seed, 300, memory=0.8, outliers=0.0)
        value = percentile(np.sort(values), 50)
        draws = intervals.percentile_draws(values, 50.0, seed)
        low, high = intervals.bootstrap_interval(value, draws).bounds(0.95)
        blocks += low <= 0.1 <= high
        ranks = intervals.order_statistics(len(values), 50)
        ordered = np.sort(values)
        single += ordered[ranks[0] - 1] <= 0.1 <= ordered[ranks[1] - 1]
    assert blocks >= 52
    assert single < 42


def test_many_values_are_drawn_as_exactly() -> None:
    """5,000 distinct values."""
    values = latencies(3, 5000)
    draws = intervals.percentile_draws(values, 95.0, 1)
    ordered = np.sort(values)
    ranks = np.searchsorted(ordered, np.median(draws)) + 1
    assert abs(ranks - 4750) <= 25


def test_failures_may_reach_a_percentile() -> None:
    """Infinity is drawn without arithmetic, and stays the upper bound."""
    values = np.where(np.arange(400) % 25 == 0, math.inf, 1.0)
    draws = intervals.percentile_draws(values, 96.0, 1)
    assert intervals.bootstrap_interval(1.0, draws).bounds(0.95) == (1.0, math.inf)


def test_the_same_data_has_the_same_interval() -> None:
    """A verdict does not change when it is asked for again; other seeds are other draws."""
    values = latencies(1, 200)
    once, again, other = (intervals.percentile_draws(values, 50.0, seed) for seed in (1, 1, 2))
    assert (once == again).all()
    assert (once != other).any()


def test_a_slope_does_not_heed_outliers() -> None:
    """2 per second, with one value far off: worked by hand, and the interval holds it."""
    at = np.arange(30.0)
    values = 2 * at + np.where(np.arange(30) % 2, 0.1, -0.1)
    values[7] = 1000.0
    found = intervals.theil_sen_slope(at, values)
    low, high = found.bounds(0.95)
    assert found.value == pytest.approx(2.0, abs=0.02)
    assert low <= 2.0 <= high
    assert high - low < 0.1


def test_a_slope_needs_places() -> None:
    """All samples at one or two places have none."""
    assert math.isnan(intervals.theil_sen_slope(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])).value)


def test_a_wider_interval_holds_both() -> None:
    """And keeps the first one's value."""
    one, other = (UncertainValue(1.0, lambda c, low=low: (low, low + 1)) for low in (0.5, 0.2))
    assert intervals.wider(one, other).bounds(0.95) == (0.2, 1.5)
    assert intervals.transformed(one, lambda value: 10 * value).bounds(0.95) == (5.0, 15.0)


def test_too_few_values_for_blocks_is_an_error() -> None:
    """It is the caller's to say that they are too few."""
    with pytest.raises(ValueError, match="3 values cannot be cut into 12 blocks"):
        intervals.mean_draws(np.ones(3), 1)


def test_the_expanded_interval_worked_by_hand() -> None:
    """Of 2,000 draws 0, 1, ..., 1999 of twelve blocks: t is -2.201 of 11 degrees, times the root of 12/11 it is -2.299.

    The normal distribution has 0.01076 below that: of 1999 steps 21.5, so the draws 21 and 1978.
    """
    draws = np.arange(2000.0)[::-1]
    assert intervals.bootstrap_interval(1000.0, draws).bounds(0.95) == (21.0, 1978.0)
    assert intervals.bootstrap_interval(5.0, draws).bounds(0.95) == (5.0, 1978.0)
    assert intervals.bootstrap_interval(1999.0, draws).bounds(0.95) == (21.0, 1999.0)


def test_blocks_that_are_alike_are_worth_fewer() -> None:
    """Four instead of twelve: Student's 3.182 for 2.201, and the root of three; what is never negative stays so."""
    draws = np.arange(2000.0)
    low, high = intervals.bootstrap_interval(1000.0, draws, worth=4.0).bounds(0.95)
    factor = 3.18245 / 2.20099 * math.sqrt(3)
    assert (low, high) == (0.0, pytest.approx(1000 + factor * 978, rel=1e-4))
    assert intervals.bootstrap_interval(1000.0, draws, worth=40.0).bounds(0.95) == (21.0, 1978.0)
