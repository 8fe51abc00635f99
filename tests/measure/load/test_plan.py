"""PlannedMessage times: the same for the same seed, of the rate that was asked for, over all processes."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ailoop_otel.measure.load.plan import Arrivals, Choice, share
from ailoop_otel.measure.load.scenario import CONSTANT, POISSON, Prompt


def times(rate: float, kind: str, until: float, processes: int = 1, seed: int = 1) -> list[float]:
    """All planned times from 100 to 100 + until."""
    found = []
    for process in range(processes):
        arrivals = Arrivals(rate, kind, 100.0, process=process, processes=processes, seed=seed)
        while arrivals.due < 100 + until:
            found.append(arrivals.due)
            arrivals.advance()
    return sorted(found)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_constant_arrivals_are_one_even_row(processes: int) -> None:
    """Whoever sends them, a message is due every 20 ms."""
    found = times(50.0, CONSTANT, 10.0, processes)
    assert len(found) == 500
    assert found[0] == 100.0
    assert all(math.isclose(after - before, 0.02, abs_tol=1e-9) for before, after in itertools.pairwise(found))


@pytest.mark.parametrize("processes", [1, 3])
def test_poisson_arrivals_are_exponential(processes: int) -> None:
    """Gaps of the merged processes are of one exponential distribution of the whole rate."""
    found = times(100.0, POISSON, 50.0, processes)
    assert len(found) == pytest.approx(5000, abs=4 * math.sqrt(5000))
    gaps = [after - before for before, after in itertools.pairwise(found)]
    assert stats.kstest(gaps, "expon", args=(0, 0.01)).pvalue > 0.001


def test_a_seed_gives_the_same_plan() -> None:
    """A run can be repeated, and another seed is another plan."""
    assert times(20.0, POISSON, 5.0) == times(20.0, POISSON, 5.0)
    assert times(20.0, POISSON, 5.0) != times(20.0, POISSON, 5.0, seed=2)


def test_nothing_is_planned_without_a_rate() -> None:
    """A rate of 0 is silence, in both kinds."""
    assert [Arrivals(0.0, kind, 1.0).due for kind in (CONSTANT, POISSON)] == [math.inf, math.inf]


def test_messages_come_by_their_weight() -> None:
    """Three of four are of the heavier kind."""
    choice = Choice([Prompt("a", weight=3.0), Prompt("b", weight=1.0)], seed=1)
    drawn = [choice.next().text for _ in range(4000)]
    assert drawn.count("a") == pytest.approx(3000, abs=120)


@given(st.integers(0, 10_000), st.integers(1, 64))
def test_shares_add_up(whole: int, processes: int) -> None:
    """No thing is lost or counted twice, and no process has more than one above another."""
    shares = [share(whole, process, processes) for process in range(processes)]
    assert sum(shares) == whole
    assert max(shares) - min(shares) <= 1
