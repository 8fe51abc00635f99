"""Counts over all that was read."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ailoop_otel.view.exchanges import DurationHistogram

SECONDS = some.floats(min_value=1e-6, max_value=1e5)


def _histogram(seconds: list[float]) -> DurationHistogram:
    histogram = DurationHistogram()
    for value in seconds:
        histogram.add(value)
    return histogram


@given(some.lists(SECONDS, min_size=1), some.floats(min_value=0, max_value=1))
def test_a_percentile_is_the_nearest_rank_to_a_thousandth(seconds: list[float], share: float) -> None:
    """The bins cost no digit that is shown."""
    rank = max(1, math.ceil(share * len(seconds)))
    assert _histogram(seconds).percentile(share) == pytest.approx(sorted(seconds)[rank - 1], rel=0.001)


def test_one_duration_is_exact() -> None:
    """With a single value, percentiles and maximum are that value."""
    histogram = _histogram([0.3])
    assert (histogram.percentile(0.5), histogram.percentile(0.95), histogram.largest) == (0.3, 0.3, 0.3)


def test_nothing_and_zero_have_percentiles() -> None:
    """No duration at all gives 0, and a duration of zero does not break the logarithm."""
    assert DurationHistogram().percentile(0.5) == 0.0
    assert _histogram([0.0]).percentile(0.5) == 0.0


def test_a_median_by_hand() -> None:
    """Of 1 to 99 ms it is 50 ms."""
    seconds = [number / 1000 for number in range(1, 100)]
    assert _histogram(seconds).percentile(0.5) == pytest.approx(statistics.median(seconds), rel=0.001)
