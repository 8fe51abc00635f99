"""How many independent values a series is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ailoop_otel.measure.statistics.dependence import correlation, effective_size
from tests.measure.latencies import latencies


def series(seed: int, n: int, memory: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return latencies(seed, n, memory=memory, outliers=0.0)


@pytest.mark.parametrize("percent", [None, 50.0, 95.0])
def test_independent_values_are_worth_their_number(percent: float | None) -> None:
    """But for one series of a hundred; few and equal values show no dependence."""
    whole = sum(effective_size(series(seed, 200, 0.0), percent) == 200 for seed in range(60))
    assert whole >= 57
    assert effective_size(np.arange(7.0), percent) == 7
    assert effective_size(np.ones(50), percent) == 50


@pytest.mark.parametrize(("memory", "n"), [(0.6, 400), (0.9, 400), (0.98, 400)])
def test_a_mean_of_dependent_values_is_worth_what_theory_says(memory: float, n: int) -> None:
    """n (1 - r) / (1 + r), for a long series: half of the estimates are within half and double."""
    theory = n * (1 - memory) / (1 + memory)
    found = [effective_size(series(seed, n, memory)) for seed in range(40)]
    assert theory / 2 < float(np.median(found)) < 2 * theory


@pytest.mark.parametrize("memory", [0.6, 0.9])
def test_percentiles_of_dependent_values_are_as_uncertain_as_it_says(memory: float) -> None:
    """The spread of the percentiles of 300 runs, against that of independent values; the tail depends less."""
    median = float(np.median([effective_size(series(seed, 200, memory), 50.0) for seed in range(40)]))
    tail = float(np.median([effective_size(series(seed, 200, memory), 95.0) for seed in range(40)]))
    for percent, found in ((50, median), (95, tail)):
        spread = [
            np.var([np.percentile(np.log(series(seed, 200, each)), percent) for seed in range(300)])
            for each in (0.0, memory)
        ]
        assert 0.6 < found / (200 * spread[0] / spread[1]) < 1.6
    assert tail > median


def test_failures_and_outliers_do_not_disturb_it() -> None:
    """They are ranks."""
    values = series(1, 200, 0.9)
    assert correlation(np.exp(40 * values)) == correlation(values)
    values[values > np.percentile(values, 98)] = math.inf
    assert correlation(values) == pytest.approx(correlation(series(1, 200, 0.9)), abs=0.02)
