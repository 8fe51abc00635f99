"""Percentiles in bounded memory."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ailoop_otel.view.spread import Spread

SECONDS = some.floats(min_value=1e-6, max_value=1e5)


def _spread(seconds: list[float]) -> Spread:
    spread = Spread()
    for value in seconds:
        spread.add(value)
    return spread


@given(some.lists(SECONDS, min_size=1), some.floats(min_value=0, max_value=1))
def test_a_percentile_is_the_nearest_rank_to_a_thousandth(seconds: list[float], share: float) -> None:
    """The bins cost no digit that is shown."""
    rank = max(1, math.ceil(share * len(seconds)))
    assert _spread(seconds).percentile(share) == pytest.approx(sorted(seconds)[rank - 1], rel=0.001)


def test_one_duration_is_exact() -> None:
    """With a single value, percentiles and maximum are that value."""
    spread = _spread([0.3])
    assert (spread.percentile(0.5), spread.percentile(0.95), spread.largest) == (0.3, 0.3, 0.3)


def test_nothing_and_zero_have_percentiles() -> None:
    """No duration at all gives 0, and a duration of zero does not break the logarithm."""
    assert Spread().percentile(0.5) == 0.0
    assert _spread([0.0]).percentile(0.5) == 0.0


def test_a_median_by_hand() -> None:
    """Of 1 to 99 ms it is 50 ms."""
    seconds = [number / 1000 for number in range(1, 100)]
    assert _spread(seconds).percentile(0.5) == pytest.approx(statistics.median(seconds), rel=0.001)
