"""Summary figures of a metric: percentiles without and with its failures, mean, maximum and minimum.

Percentiles are nearest-rank: the p-th percentile of n values is the value of rank ceil(p n / 100) (Hyndman and Fan
1996, definition 1; `inverted_cdf` in numpy). So each percentile is an observed value, and no arithmetic is done with
a failure, which counts as infinitely slow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.results.run import Run

PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
METHOD: Final = "Percentiles are nearest-rank: each is a value that was seen."

_MICRO: Final = 1e-6

Values = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one metric, in the metric's unit; NaN where there are no values.

    `n` counts the successful observations, of which all figures but `with_failures` are computed; `missing` counts the
    events that never came though nothing failed. `with_failures` has the keys p50, p90, p95, p99 and max, with each
    failure as infinity.
    """

    n: int
    failures: int
    missing: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float
    min: float
    with_failures: dict[str, float]


def summarise(run: Run, definition: Definition) -> Summary:
    """Summarise one metric from its steady observations, or from its histogram if it has none."""
    rows = run.steady(definition)
    if not rows and definition.name in run.histograms:
        return _summary(*histogram_values(run.histograms[definition.name]), 0, 0)
    values = values_of(run, definition)
    seen = np.sort(values[np.isfinite(values)])
    return _summary(seen, np.ones(len(seen), dtype=np.int64), len(values) - len(seen), len(rows) - len(values))


def values_of(run: Run, definition: Definition) -> Values:
    """The steady values of a metric in order of time; a failure is infinity, and what is missing is left out."""
    rows = run.steady(definition)
    values: Values = np.array([math.inf if is_failure(row, definition) else row.value for row in rows], dtype=float)
    known: Values = values[~np.isnan(values)]
    return known


def is_failure(observation: Observation, definition: Definition) -> bool:
    """Whether an observation counts as a failure: its exchange failed, and the metric is not about failures."""
    return observation.failed and not definition.of_failures


def percentile(values: Values, percent: float, counts: Counts | None = None) -> float:
    """The nearest-rank percentile (Hyndman and Fan 1996, definition 1) of values.

    `values` is one-dimensional and ascending, infinity allowed; `counts` has the same shape and says how often each
    value was observed, once by default. `percent` is 0 to 100. The result is one of the values, NaN if there are
    none. Raises ValueError for a percentage that is not between 0 and 100.
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"a percentile is between 0 and 100, not {percent}")
    if counts is None:
        return float(values[rank(len(values), percent) - 1]) if len(values) else math.nan
    upto = np.cumsum(counts)
    return float(values[np.searchsorted(upto, rank(int(upto[-1]), percent))]) if len(values) else math.nan


def rank(n: int, percent: float) -> int:
    """The rank of the nearest-rank percentile of n values: ceil(percent n / 100), from 1 to n; n at least 1."""
    # 95 % of 20 is 19 and not the 20 that rounding up 0.95 * 20 = 19.000000000000004 would give.
    return max(1, math.ceil(round(percent * n / 100, 9)))


def histogram_values(histogram: HdrHistogram) -> tuple[Values, Counts]:
    """The ascending values of a histogram of microseconds, in seconds, and the count of each: arrays of one shape."""
    # Not by its iterator, which visits each of its 23,000 places.
    counts: Counts = np.array(histogram.counts, dtype=np.int64)
    places = np.flatnonzero(counts)
    lowest = map(histogram.get_value_from_index, places.tolist())
    values = np.array([histogram.get_highest_equivalent_value(each) for each in lowest], dtype=float)
    return values * _MICRO, counts[places]


def _summary(values: Values, counts: Counts, failures: int, missing: int) -> Summary:
    """Compute the figures of ascending values, each observed `counts` times."""
    n = int(counts.sum())
    all_values, all_counts = np.append(values, math.inf), np.append(counts, failures)
    if not failures:
        all_values, all_counts = values, counts
    inside = {name: percentile(all_values, percent, all_counts) for name, percent in PERCENTILES.items()}
    inside["max"] = float(all_values[-1]) if len(all_values) else math.nan
    outside = {name: percentile(values, percent, counts) for name, percent in PERCENTILES.items()}
    return Summary(
        n, failures, missing,
        mean=float(np.average(values, weights=counts)) if n else math.nan,
        max=float(values[-1]) if n else math.nan,
        min=float(values[0]) if n else math.nan,
        with_failures=inside,
        **outside,
    )  # fmt: skip
