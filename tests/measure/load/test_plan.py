"""PlannedMessage times: the same for the same seed, of the rate that was asked for, over all processes."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ailoop_otel.measure.load.plan import Segment, arrivals, dealt, drawn, share
from ailoop_otel.measure.load.scenario import CONSTANT, POISSON, Prompt, UserKind


def before(end: float, due: Iterator[float]) -> list[float]:
    """The planned times before an end."""
    return list(itertools.takewhile(lambda at: at < end, due))


def times(rate: float, kind: str, until: float, processes: int = 1, seed: int = 1) -> list[float]:
    """All planned times from 100 to 100 + until."""
    found: list[float] = []
    for process in range(processes):
        segment = Segment(1, "run", rate, 100.0)
        found += before(100 + until, arrivals(segment, kind, process=process, processes=processes, seed=seed))
    return sorted(found)


@pytest.mark.parametrize("kind", [CONSTANT, POISSON])
def test_nothing_is_due_after_a_segments_end(kind: str) -> None:
    """However late it is ended: the same times as without an end, and then none."""
    ended = Segment(1, "hold", 50.0, 100.0, until=101.0)
    due = list(itertools.islice(arrivals(ended, kind), 200))
    assert [at for at in due if at != math.inf] == times(50.0, kind, 1.0)
    assert due[-1] == math.inf


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
    silent = Segment(1, "run", 0.0, 1.0)
    assert [next(arrivals(silent, kind)) for kind in (CONSTANT, POISSON)] == [math.inf, math.inf]


def counted(rate: float, end: float, kind: str, processes: int) -> list[float]:
    """Planned times of a stage of 10 s, over all processes, in seconds from its begin."""
    segment = Segment(1, "run", rate, 100.0, end_rate=end, seconds=10.0)
    found: list[float] = []
    for process in range(processes):
        found += [at - 100 for at in before(110, arrivals(segment, kind, process=process, processes=processes))]
    return sorted(found)


@pytest.mark.parametrize(("rate", "end"), [(0.0, 20.0), (20.0, 0.0), (5.0, 15.0), (15.0, 5.0), (10.0, 10.0)])
@pytest.mark.parametrize("processes", [1, 3])
def test_a_stage_changes_the_rate_evenly(rate: float, end: float, processes: int) -> None:
    """Of 100 messages in all, as many are due in the first half as its mean rate says, and none comes twice."""
    found = counted(rate, end, CONSTANT, processes)
    assert len(found) == pytest.approx(100, abs=1)
    first_half = 5 * (rate + (rate + end) / 2) / 2
    assert sum(at < 5 for at in found) == pytest.approx(first_half, abs=1)
    assert all(after > before for before, after in itertools.pairwise(found))


def test_poisson_arrivals_of_a_stage_follow_its_rate() -> None:
    """Over many seeds, the times of a rising rate are distributed as its integral."""
    segment = Segment(1, "run", 0.0, 0.0, end_rate=20.0, seconds=10.0)
    found: list[float] = []
    for seed in range(50):
        found += before(10, arrivals(segment, POISSON, seed=seed))
    assert len(found) == pytest.approx(5000, abs=4 * math.sqrt(5000))
    assert stats.kstest([(at / 10) ** 2 for at in found], "uniform").pvalue > 0.001


@pytest.mark.parametrize(
    ("segment", "messages", "seconds"),
    [
        (Segment(1, "run", 2.0, 0.0, end_rate=4.0, seconds=10.0), 30.0, 10.0),
        (Segment(1, "run", 2.0, 0.0, end_rate=4.0, seconds=10.0), 34.0, 11.0),
        (Segment(1, "run", 2.0, 0.0, end_rate=0.0, seconds=10.0), 11.0, math.inf),
        (Segment(1, "run", 2.0, 0.0, end_rate=0.0, seconds=10.0), 0.0, 0.0),
        (Segment(1, "run", 2.0, 0.0, end_rate=5.0), 10.0, 2.0),
    ],
)
def test_after_its_stage_a_rate_stays(segment: Segment, messages: float, seconds: float) -> None:
    """The rate at the end goes on, a stage that ends in silence stays silent, and a jump takes no time."""
    assert segment.seconds_until(messages) == pytest.approx(seconds)


def test_messages_come_by_their_weight() -> None:
    """Three of four are of the heavier kind."""
    prompts = drawn([Prompt("a", weight=3.0), Prompt("b", weight=1.0)], seed=1)
    texts = [each.text for each in itertools.islice(prompts, 4000)]
    assert texts.count("a") == pytest.approx(3000, abs=120)


@given(st.integers(0, 10_000), st.integers(1, 64))
def test_shares_add_up(whole: int, processes: int) -> None:
    """No thing is lost or counted twice, and no process has more than one above another."""
    shares = [share(whole, process, processes) for process in range(processes)]
    assert sum(shares) == whole
    assert max(shares) - min(shares) <= 1


def test_users_are_dealt_by_their_weight() -> None:
    """At each moment there are as many of each kind as its weight says, to the whole number."""
    kinds = [UserKind("many", weight=3.0), UserKind("few", weight=1.0), UserKind("some", weight=2.0)]
    names = [each.name for each in itertools.islice(dealt(kinds), 60)]
    assert Counter(names) == {"many": 30, "some": 20, "few": 10}
    assert Counter(names[:6]) == {"many": 3, "some": 2, "few": 1}
