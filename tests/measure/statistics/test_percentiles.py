"""Figures of a metric, against published examples, by hand and against numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ailoop_otel.measure.results.definitions import CHUNK_GAP, COMPLETION, FIRST_CHUNK, SESSION_DURATION, TIMEOUT_TOLD
from ailoop_otel.measure.results.histograms import histogram, record
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.statistics.percentiles import percentile, rank, summarise

# https://www.itl.nist.gov/div898/handbook/prc/section2/prc262.htm, in order.
NIST = [95.0610, 95.0925, 95.1065, 95.1195, 95.1442, 95.1567, 95.1591, 95.1682, 95.1772, 95.1937, 95.1959, 95.1990]


def run(*values: float, outcome: str = "ok") -> Run:
    return Run(Context("test"), [observed(FIRST_CHUNK, value, 0.0, outcome=outcome) for value in values])


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        # The examples of the nearest-rank method in Wikipedia's "Percentile".
        ([15, 20, 35, 40, 50], 5, 15),
        ([15, 20, 35, 40, 50], 30, 20),
        ([15, 20, 35, 40, 50], 40, 20),
        ([15, 20, 35, 40, 50], 50, 35),
        ([15, 20, 35, 40, 50], 100, 50),
        ([3, 6, 7, 8, 8, 10, 13, 15, 16, 20], 25, 7),
        ([3, 6, 7, 8, 8, 10, 13, 15, 16, 20], 75, 15),
        ([3, 6, 7, 8, 8, 9, 10, 13, 15, 16, 20], 50, 9),
        # NIST interpolates and has 95.1981, between this value and the next.
        (NIST, 90, 95.1959),
    ],
)
def test_a_percentile_is_the_nearest_rank(values: list[float], percent: float, expected: float) -> None:
    """As published."""
    assert percentile(np.array(values, dtype=float), percent) == expected


def test_a_rank_is_not_rounded_up_by_binary_fractions() -> None:
    """95 % of 20 is 19, whatever 0.95 is in binary."""
    assert [rank(20, 95), rank(100, 99), rank(1000, 99.9), rank(1, 50), rank(7, 0)] == [19, 99, 999, 1, 1]


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.sampled_from([0, 10, 50, 90, 95, 99, 100]))
def test_percentiles_are_numpys(values: list[float], percent: int) -> None:
    """The same as numpy's inverted CDF."""
    ordered = np.sort(np.array(values))
    assert percentile(ordered, percent) == np.percentile(ordered, percent, method="inverted_cdf")


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 5)), min_size=1, max_size=50, unique_by=lambda it: it[0]))
def test_counted_values_are_as_if_each_stood_there(pairs: list[tuple[int, int]]) -> None:
    """Counts are short for repetition."""
    pairs.sort()
    values, counts = np.array([float(value) for value, _ in pairs]), np.array([count for _, count in pairs])
    for percent in (50, 95, 99):
        assert percentile(values, percent, counts) == percentile(np.repeat(values, counts), percent)


@pytest.mark.parametrize(
    ("values", "mean"),
    # NIST's Statistical Reference Datasets NumAcc1 and NumAcc3, with certified means.
    [([10000001, 10000003, 10000002], 10000002), ([1000000.2, *[1000000.1, 1000000.3] * 500], 1000000.2)],
)
def test_the_mean_is_nists(values: list[float], mean: float) -> None:
    """Of values that are large beside their spread."""
    assert summarise(run(*values), FIRST_CHUNK).mean == pytest.approx(mean, rel=1e-14)


def test_failures_are_outside_and_inside() -> None:
    """18 answers from 0.1 s to 1.8 s, 2 failures: worked by hand."""
    rows = [observed(FIRST_CHUNK, number / 10, 0.0) for number in range(1, 19)]
    rows += [observed(FIRST_CHUNK, value, 0.0, outcome="cut") for value in (0.05, math.nan)]
    summary = summarise(Run(Context("test"), rows), FIRST_CHUNK)
    assert (summary.n, summary.failures, summary.missing) == (18, 2, 0)
    assert (summary.min, summary.p50, summary.p90, summary.p95, summary.max) == (0.1, 0.9, 1.7, 1.8, 1.8)
    assert summary.mean == pytest.approx(0.95)
    assert summary.with_failures == {"p50": 1.0, "p90": 1.8, "p95": math.inf, "p99": math.inf, "max": math.inf}


def test_an_event_that_never_came_is_neither_value_nor_failure() -> None:
    """An answer without a chunk that ended well."""
    summary = summarise(run(1.0, math.nan, 3.0), FIRST_CHUNK)
    assert (summary.n, summary.failures, summary.missing, summary.max) == (2, 0, 1, 3.0)


def test_what_is_about_failures_is_not_emptied_by_them() -> None:
    """The time until a timeout is reported to the client comes from exchanges that failed."""
    rows = [observed(TIMEOUT_TOLD, value, 0.0, outcome="ai_timeout") for value in (10.0, 11.0)]
    summary = summarise(Run(Context("test"), rows), TIMEOUT_TOLD)
    assert (summary.n, summary.failures, summary.max) == (2, 0, 11.0)


def test_nothing_has_no_figures() -> None:
    """NaN throughout, without a warning."""
    summary = summarise(run(), COMPLETION)
    assert (summary.n, summary.failures) == (0, 0)
    assert all(math.isnan(value) for value in (summary.mean, summary.p50, summary.max, summary.with_failures["p99"]))


def test_failures_alone_have_figures_with_failures_only() -> None:
    """Everything failed."""
    summary = summarise(run(1.0, 2.0, outcome="ai_error"), FIRST_CHUNK)
    assert (summary.n, summary.failures, summary.with_failures["p50"]) == (0, 2, math.inf)
    assert math.isnan(summary.p50)


def test_warm_up_is_in_no_figure() -> None:
    """It is in the raw data only."""
    rows = [Observation("first_chunk", 9.0, "s", 0.0, phase="warmup"), observed(FIRST_CHUNK, 1.0, 1.0)]
    assert summarise(Run(Context("test"), rows), FIRST_CHUNK).max == 1.0


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(1e-4, 100), min_size=1, max_size=200))
def test_a_histogram_is_true_to_a_thousandth(values: list[float]) -> None:
    """Three significant digits, in seconds, by the same ranks."""
    gaps = histogram()
    for value in values:
        record(gaps, value)
    run = Run(Context("test"), [], {"chunk_gap": gaps})
    summary, exact = summarise(run, CHUNK_GAP), np.sort(np.array(values))
    assert summary.n == len(values)
    for name, percent in (("p50", 50), ("p99", 99)):
        assert getattr(summary, name) == pytest.approx(percentile(exact, percent), rel=2e-3, abs=2e-6)
    assert summary.mean == pytest.approx(exact.mean(), rel=2e-3, abs=2e-6)


def test_summaries_come_in_the_order_of_the_table() -> None:
    """Whatever was seen first."""
    rows = [observed(definition, 1.0, 0.0) for definition in (SESSION_DURATION, COMPLETION, FIRST_CHUNK)]
    assert [metric.name for metric in Run(Context("test"), rows).metrics()] == [
        "first_chunk",
        "completion",
        "session_duration",
    ]
