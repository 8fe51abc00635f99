"""The shift of a whole distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ailoop_otel.measure.statistics.shift import hodges_lehmann


@pytest.mark.parametrize(
    ("m", "n", "critical"),
    # Mann and Whitney's table of critical values, two-sided 5 %, in Hollander, Wolfe and Chicken 2014.
    [(4, 4, 0), (5, 5, 2), (5, 8, 6), (8, 8, 13), (9, 9, 17), (10, 12, 29)],
)
def test_the_interval_ends_at_the_critical_value_of_the_table(m: int, n: int, critical: int) -> None:
    """The differences 1, 2, ... in order of size: so many lie outside on each side."""
    one, other = np.arange(m) * float(n), -np.arange(n, dtype=float)
    low, high = hodges_lehmann(one, other, (m, n)).bounds(0.95)
    assert (low, high) == (critical, m * n - 1 - critical)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_holds_the_shifts_that_scipys_test_does_not_reject(seed: int) -> None:
    """Just within its ends the p value is above 5 %, just beyond them at most 5 %."""
    generator = np.random.default_rng(seed)
    one, other = generator.normal(size=9) + 1, generator.normal(size=7)
    found = hodges_lehmann(one, other, (9, 7))
    low, high = found.bounds(0.95)
    assert low < found.value < high
    for shift, rejected in ((low - 1e-9, True), (low + 1e-9, False), (high - 1e-9, False), (high + 1e-9, True)):
        assert bool(stats.mannwhitneyu(one - shift, other, method="exact").pvalue <= 0.05) is rejected


def test_a_few_values_bound_nothing() -> None:
    """Three of each are compatible with every shift; so are many that are worth three."""
    assert hodges_lehmann(np.ones(3), np.zeros(3), (3, 3)).bounds(0.95) == (-math.inf, math.inf)
    assert hodges_lehmann(np.ones(50), np.zeros(50), (3, 3)).bounds(0.95) == (-math.inf, math.inf)


def test_failures_are_infinitely_far() -> None:
    """18 of 19 against none; where both fail there is no difference."""
    one, other = np.array([1.0] + [math.inf] * 18), np.arange(19.0)
    assert hodges_lehmann(one, other, (19, 19)).bounds(0.95)[0] == math.inf
    assert hodges_lehmann(one, one, (19, 19)).value == 0


def test_large_samples_have_the_normal_approximation() -> None:
    """The true shift is within, in about 95 of 100."""
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        low, high = hodges_lehmann(generator.normal(size=60) + 0.3, generator.normal(size=60), (60, 60)).bounds(0.95)
        held += low <= 0.3 <= high
    assert held >= 89
