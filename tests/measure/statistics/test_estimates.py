"""The figures of a run with their intervals, and answers per second, worked by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import COMPLETION, FIRST_CHUNK
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics import intervals
from ailoop_otel.measure.statistics.estimates import answers_per_second, estimate, figure_of, ramp_step, settled_slope
from tests.measure.latencies import run as measured


def of(rows: Sequence[Observation], histograms: dict[str, HdrHistogram] | None = None, **settings: Any) -> Run:
    """A run with these observations and nothing else."""
    context = dataclasses.replace(measured(1).context, settings=settings)
    return Run(context, rows, histograms or {})


def chunks(values: Sequence[float], **more: Any) -> list[Observation]:
    """First chunks, one a second, the latest first in the run."""
    return [observed(FIRST_CHUNK, value, float(at), **more) for at, value in enumerate(values)][::-1]


def without(bounds: tuple[float, float]) -> bool:
    """Whether there is no interval."""
    return all(map(math.isnan, bounds))


# --- Figures of observations -----------------------------------------------------------------------------------
@pytest.mark.parametrize(("figure", "value"), [("max", 3.0), ("min", 1.0)])
def test_an_extreme_has_no_interval(figure: str, value: float) -> None:
    """However many observations there are."""
    run = of(chunks([2.0, 3.0, 1.0] * 200))
    found = estimate(run, FIRST_CHUNK, figure)
    assert found is not None
    assert (found.value, found.n, found.uncertain.value) == (value, 600, value)
    assert without(found.uncertain.bounds(0.95))
    assert found.lacking == "an extreme has no interval"
    assert figure_of(run, FIRST_CHUNK, figure) == value


@pytest.mark.parametrize(("figure", "n"), [("p50", 5), ("p90", 35), ("p95", 71)])
def test_a_percentile_of_few_has_one_bound(figure: str, n: int) -> None:
    """The smallest value may be a lower bound; one observation more gives an upper one too."""
    found = estimate(of(chunks([1.0] * n)), FIRST_CHUNK, figure)
    assert found is not None
    assert (found.value, found.n, found.needed, found.lacking) == (1.0, n, n + 1, "")
    assert found.uncertain.bounds(0.95) == (0.0 if figure == "p50" else 1.0, math.inf)
    enough = estimate(of(chunks([1.0] * (n + 1))), FIRST_CHUNK, figure)
    assert enough is not None
    assert enough.uncertain.bounds(0.95) == (1.0, 1.0)


def test_a_mean_of_few_has_no_interval() -> None:
    """One more gives one."""
    for n, known in ((19, False), (20, True)):
        found = estimate(of(chunks([1.0] * n)), FIRST_CHUNK, "mean")
        assert found is not None
        assert (found.needed, found.lacking == "") == (20, known)
        assert without(found.uncertain.bounds(0.95)) is not known


def test_a_failure_is_infinitely_slow_also_as_the_maximum_and_in_no_mean() -> None:
    """One that never came is in neither; of 1, 2, ..., 19 and a failure the tenth is the median."""
    rows = [*chunks(range(1, 20)), observed(FIRST_CHUNK, 5.0, 30.0, outcome="ai_error")]
    rows.append(observed(FIRST_CHUNK, math.nan, 31.0))
    run = of(rows)
    median, mean = estimate(run, FIRST_CHUNK, "p50"), estimate(run, FIRST_CHUNK, "mean")
    assert median is not None
    assert mean is not None
    assert (median.value, median.n) == (10, 20)
    assert (mean.value, mean.n) == (10, 19)
    assert figure_of(run, FIRST_CHUNK, "p99") == math.inf
    assert figure_of(run, FIRST_CHUNK, "max") == math.inf


def test_the_interval_of_a_percentile_is_the_wider_of_two() -> None:
    """Of 100 values in no order: the ranks 40 and 61 of the table of Altman et al. 2000, or the bootstrap's."""
    values = [float(value) for value in np.random.default_rng(1).permutation(np.arange(1, 101))]
    found = estimate(of(chunks(values)), FIRST_CHUNK, "p50", seed=3)
    assert found is not None
    draws = intervals.percentile_draws(np.array(values), 50.0, 3)
    low, high = intervals.bootstrap_interval(50.0, draws).bounds(0.95)
    assert found.uncertain.bounds(0.95) == (min(low, 40.0), max(high, 61.0))
    assert found.worth == 100


def test_values_in_order_of_size_are_worth_few() -> None:
    """Neighbours are alike over the whole run: two or three of a hundred, which bound nothing."""
    found = estimate(of(chunks([float(value) for value in range(1, 101)])), FIRST_CHUNK, "p50")
    assert found is not None
    assert found.worth < 5
    assert found.needed > 100
    assert found.uncertain.bounds(0.95) == (0.0, math.inf)


def test_the_mean_is_drawn_in_order_of_time_with_the_seed() -> None:
    """Whatever the order of the observations."""
    values = [float(value % 5) for value in range(25)]
    found = estimate(of(chunks(values)), FIRST_CHUNK, "mean", seed=5)
    assert found is not None
    draws = intervals.mean_draws(np.array(values), 5)
    assert found.value == 2.0
    assert found.uncertain.bounds(0.9) == intervals.bootstrap_interval(2.0, draws).bounds(0.9)


def test_a_ramp_counts_only_where_there_is_nothing_else() -> None:
    """It is no steady state."""
    ramp, hold = chunks([9.0] * 3, phase="ramp"), chunks([1.0, 2.0], phase="hold")
    assert figure_of(of([*ramp, *hold]), FIRST_CHUNK, "max") == 2
    assert figure_of(of(ramp), FIRST_CHUNK, "max") == 9


def test_what_was_not_observed_has_no_figure() -> None:
    """Neither a value nor an interval."""
    run = of([])
    for figure in ("p50", "mean", "value"):
        assert estimate(run, FIRST_CHUNK, figure) is None
        assert math.isnan(figure_of(run, FIRST_CHUNK, figure))


# --- Histograms ------------------------------------------------------------------------------------------------
def histogram(*milliseconds: int) -> dict[str, HdrHistogram]:
    """A histogram of first chunks, which keeps microseconds."""
    kept = HdrHistogram(1, 60_000_000, 3)
    for value in milliseconds:
        kept.record_value(1000 * value)
    return {FIRST_CHUNK.name: kept}


@pytest.mark.parametrize(("figure", "value"), [("mean", 2.0), ("max", 5.0), ("min", 1.0)])
def test_a_histogram_has_no_interval_but_of_percentiles(figure: str, value: float) -> None:
    """1, 1, 1 and 5 ms."""
    run = of([], histogram(1, 1, 1, 5))
    found = estimate(run, FIRST_CHUNK, figure)
    assert found is not None
    assert (found.value, found.n) == (pytest.approx(value / 1000, rel=1e-3), 4)
    assert found.lacking == "a histogram keeps no order of time"
    assert without(found.uncertain.bounds(0.95))
    assert figure_of(run, FIRST_CHUNK, figure) == found.value


def test_a_percentile_of_a_histogram_lies_between_two_ranks() -> None:
    """1 to 100 ms: the ranks 40 and 61 of the table; five values are too few, and none is nothing."""
    found = estimate(of([], histogram(*range(1, 101))), FIRST_CHUNK, "p50")
    assert found is not None
    assert (found.value, found.n, found.lacking) == (pytest.approx(0.05, rel=1e-3), 100, "")
    assert found.uncertain.bounds(0.95) == (pytest.approx(0.04, rel=1e-3), pytest.approx(0.061, rel=1e-3))
    ten = estimate(of([], histogram(*range(1, 11))), FIRST_CHUNK, "p50")
    assert ten is not None
    # So near to certainty no rank is far enough.
    assert ten.uncertain.bounds(0.9999) == (0.0, math.inf)
    few = estimate(of([], histogram(1, 2, 3, 4, 5)), FIRST_CHUNK, "p50")
    assert few is not None
    assert few.uncertain.value == few.value
    assert (few.value, few.needed) == (pytest.approx(0.003, rel=1e-3), 6)
    assert few.uncertain.bounds(0.95) == (0.0, math.inf)
    assert estimate(of([], histogram()), FIRST_CHUNK, "p50") is None
    assert math.isnan(figure_of(of([], histogram()), FIRST_CHUNK, "p50"))


# --- Metrics with one value per run ----------------------------------------------------------------------------
def exchanges(n: int, failed: int = 0) -> list[Observation]:
    """So many in a row of one second each, the failures first."""
    return [observed(COMPLETION, 1.0, float(at), outcome="ok" if at >= failed else "cut") for at in range(n)]


def test_the_last_value_of_a_run_is_its_value() -> None:
    """One that is missing is none; there is no interval where nothing is known of what it was made of."""
    rows = [observed(definitions.ERROR_RATE, value, at) for value, at in ((7.0, 1.0), (9.0, 2.0), (math.nan, 3.0))]
    found = estimate(of(rows), definitions.ERROR_RATE, "value")
    assert found is not None
    assert (found.value, found.n) == (9.0, 2)
    assert found.lacking == "one value of one run has no interval"
    assert without(found.uncertain.bounds(0.95))
    assert figure_of(of(rows[:2]), definitions.ERROR_RATE, "value") == 9.0


@pytest.mark.parametrize(("n", "value", "known"), [(20, 100.0, True), (20, 103.0, False)])
def test_an_error_rate_has_the_wider_of_the_exact_interval_and_that_of_bursts(
    n: int, value: float, known: bool
) -> None:
    """Two of twenty are 100 of a thousand; where the value is another one, the exchanges are not its own."""
    run = of([*exchanges(n, failed=2), observed(definitions.ERROR_RATE, value, 30.0)])
    found = estimate(run, definitions.ERROR_RATE, "value", seed=4)
    assert found is not None
    assert (found.value, found.n, found.lacking == "") == (value, n if known else 1, known)
    if known:
        failed = np.array([1.0] * 2 + [0.0] * 18)
        bursts = intervals.bootstrap_interval(0.1, intervals.mean_draws(failed, 4)).bounds(0.95)
        exact = intervals.exact_proportion(2, 20).bounds(0.95)
        expected = (1000 * min(bursts[0], exact[0]), 1000 * max(bursts[1], exact[1]))
        assert found.uncertain.bounds(0.95) == pytest.approx(expected)


def test_the_rate_is_that_of_its_exchanges_from_either_side() -> None:
    """One a second, by the client's completions or the server's; failures alone, or 19, give none."""
    for definition in (COMPLETION, definitions.SERVER_COMPLETION):
        rows = [each._replace(metric=definition.name) for each in exchanges(24)]
        found = estimate(of([*rows, observed(definitions.RATE, 0.8, 30.0)]), definitions.RATE, "value")
        assert found is not None
        assert (found.value, found.n, found.lacking) == (pytest.approx(1.0), 24, "")
        assert found.uncertain.bounds(0.95) == (pytest.approx(1.0), pytest.approx(1.0))
    for rows in (exchanges(19), exchanges(24, failed=24)):
        found = estimate(of([*rows, observed(definitions.RATE, 0.8, 30.0)]), definitions.RATE, "value")
        assert found is not None
        assert (found.value, found.n, found.lacking != "") == (0.8, 1, True)


def test_the_largest_stable_number_may_lie_up_to_the_next_level() -> None:
    """Which is a step further; without a ramp there is no interval."""
    rows = [observed(definitions.STABLE_SESSIONS, 40.0, 1.0)]
    found = estimate(of(rows, ramp={"step": 5}), definitions.STABLE_SESSIONS, "value")
    assert found is not None
    assert (found.value, found.n, found.uncertain.bounds(0.95), found.lacking) == (40, 1, (40, 45), "")
    for settings in ({}, {"ramp": None}, {"ramp": {"step": "x"}}, {"ramp": {}}):
        assert ramp_step(of(rows, **settings)) == 0
        none = estimate(of(rows, **settings), definitions.STABLE_SESSIONS, "value")
        assert none is not None
        assert none.lacking


@pytest.mark.parametrize(("n", "known"), [(10, True), (9, False)])
def test_a_growth_is_as_uncertain_as_the_slope_of_its_samples(n: int, known: bool) -> None:
    """100 bytes a second without any noise; the value of the run is in its interval, though it is another."""
    samples = [observed(definitions.MEMORY, 5e7 + 100.0 * at, float(at)) for at in range(n)][::-1]
    run = of([*samples, observed(definitions.MEMORY_GROWTH, 130.0, 20.0)])
    found = estimate(run, definitions.MEMORY_GROWTH, "value")
    assert found is not None
    assert (found.value, found.n) == (130.0, n if known else 1)
    if known:
        assert found.uncertain.bounds(0.95) == (pytest.approx(130.0), pytest.approx(130.0))
    else:
        assert found.lacking


def test_memory_per_session_is_its_slope_over_the_sessions_opened_so_far() -> None:
    """A session opens each second and takes a kilobyte; one that failed and one that never opened do not count."""
    start = definitions.SESSION_START
    opened = [observed(start, 0.25, at + 0.25) for at in range(12)]
    bad = [observed(start, 0.1, 0.2, outcome="ai_error"), observed(start, math.nan, 0.3)]
    noise = [0.0, 30.0, -30.0] * 4
    samples = [observed(definitions.MEMORY, 5e7 + 1000.0 * at + noise[at], at + 0.4) for at in range(12)]
    value = observed(definitions.MEMORY_PER_SESSION, 1000.0, 20.0)
    found = estimate(of([*samples[::-1], *opened, *bad, value]), definitions.MEMORY_PER_SESSION, "value")
    assert found is not None
    assert (found.value, found.n, found.lacking) == (1000, 12, "")
    fitted = intervals.theil_sen_slope(np.arange(12.0), np.array([row.value for row in samples]))
    low, high = fitted.bounds(0.95)
    assert found.uncertain.bounds(0.95) == pytest.approx(
        (min(1000.0, 1000 + low - fitted.value), max(1000.0, 1000 + high - fitted.value))
    )
    assert low < fitted.value < high
    assert low > 900
    # Where no session opened there is no slope.
    none = estimate(of([*samples, value]), definitions.MEMORY_PER_SESSION, "value")
    assert none is not None
    assert none.lacking


# --- Answers per second ----------------------------------------------------------------------------------------


def answers(sessions: int, seconds: float, until: float, **more: str) -> list[Observation]:
    """Sessions that ask again as soon as they are answered, all in step."""
    moments = [turn * seconds for turn in range(math.ceil(until / seconds))]
    return [observed(COMPLETION, seconds, at, **more) for at in moments for _ in range(sessions)]


@pytest.mark.parametrize("until", [2.0, 2.2, 2.39, 10.0])
def test_the_rate_does_not_depend_on_where_a_run_is_cut(until: float) -> None:
    """30 sessions at 0.4 s make 75 a second, also in five answers each."""
    assert answers_per_second(answers(30, 0.4, until), 12).tolist() == pytest.approx([75.0] * 12)


def test_failures_are_no_answers() -> None:
    """Half of the sessions fail."""
    rows = answers(10, 0.5, 5.0) + answers(10, 0.5, 5.0, outcome="ai_error")
    assert answers_per_second(rows) == pytest.approx(20.0)


def test_the_time_in_which_all_failed_is_no_less_time() -> None:
    """A server that answers 20 a second and then, for as long, nobody, answers 10 a second."""
    rows = answers(10, 0.5, 10.0)
    refused = [observed(COMPLETION, math.nan, 10.0 + at / 20, outcome="refused") for at in range(200)]
    assert answers_per_second([*rows, *refused]) == pytest.approx(10.0, rel=0.03)
    assert answers_per_second(
        [row._replace(at=row.at - 10) for row in refused] + [row._replace(at=row.at + 10) for row in rows]
    ) == pytest.approx(10.0, rel=0.05)


def test_one_answer_is_counted_over_its_time() -> None:
    """One in two seconds is half a one a second, and none is none."""
    assert answers_per_second([observed(COMPLETION, 2.0, 7.0)]) == pytest.approx(0.5)
    assert answers_per_second([observed(COMPLETION, 0.03, 7.0)], lasted=20.0) == pytest.approx(1 / 20)
    assert answers_per_second([observed(COMPLETION, 0.03, at) for at in (0.0, 1.0)]) == pytest.approx(2 / 1.03)
    assert answers_per_second([observed(COMPLETION, math.nan, 7.0)], 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("at", "memory", "slope"),
    [([4, 12, 20], [0, 16, 32], 2.0), ([1, 6, 12, 20], [90, 12, 24, 40], 2.0), ([4, 12], [0, 16], math.nan)],
)
def test_memory_is_settled_after_the_first_quarter(at: list[float], memory: list[float], slope: float) -> None:
    """Unless that leaves fewer than three places to draw a line through."""
    assert settled_slope(at, memory) == pytest.approx(slope, nan_ok=True)
