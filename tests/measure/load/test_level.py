"""The figures of a level, whether it met the targets, and the search for the largest that does, without a server."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure.load.level import Level, needed_sessions, search
from ailoop_otel.measure.load.live import Followed, LiveFigures
from ailoop_otel.measure.load.scenario import RATE, Ramp, StabilityCriteria

STABLE = StabilityCriteria(errors=50.0, first_chunk_p95=1.0)


def level(
    fast: int = 0, slow: int = 0, failed: int = 0, silent: int = 0, commands: int = 0, sent: float = 0.0, **more: Any
) -> Level:
    """A level with so many messages of each kind, planned evenly over 10 s, each sent so many seconds later."""
    followed = LiveFigures(10.0)
    kinds = [("ok", 0.1)] * fast + [("ok", 3.0)] * slow + [("ai_error", None)] * failed + [("ok", None)] * commands
    total = len(kinds) + silent
    for number in range(total):
        followed.take([["planned", number, [7, 10 * number / total]], ["sent", number, sent]], 0.0)
    for number, (outcome, first) in enumerate(kinds):
        first = first and first + sent
        followed.take([["ended", number, [outcome, first, (first or 0.1) + 0.5]]], 0.0)
    return Level(4.0, 10, 10.0, followed.of(7), **{"connected": 10, **more})


def judged(made: Level, stable: StabilityCriteria = STABLE) -> tuple[str, str]:
    made.judge(stable, planned=True)
    return made.reason, made.own


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (level(fast=100), ""),
        (level(fast=95, slow=5), ""),
        (level(fast=94, slow=6), "p95 of the first chunk was 3 s, and 1 s are allowed"),
        (level(fast=95, failed=5), ""),
        (level(fast=94, failed=6), "60 errors per 1,000 messages, and 50 are allowed"),
        (level(fast=94, silent=6), "did not come in 1 s"),
        (level(fast=95, silent=5), ""),
        (level(commands=100), ""),
        (level(fast=16, commands=80, failed=1), "58.8 errors per 1,000 messages, and 50 are allowed"),
        (level(fast=19, commands=81, failed=1), ""),
        (level(fast=19, commands=100, silent=2), "did not come in 1 s"),
        (level(), ""),
        (level(fast=100, connected=9), "1 of 10 sessions could not be kept open"),
    ],
)
def test_a_level_is_stable_or_has_a_reason_why_not(made: Level, reason: str) -> None:
    """Errors, slow first chunks, those that never came, and sessions that are missing each count."""
    missed, own = judged(made)
    assert missed.endswith(reason)
    assert bool(missed) == bool(reason)
    assert own == ""


def test_a_complete_answer_may_have_a_target_too() -> None:
    """The 95th percentile of it, with what has not ended as infinitely slow."""
    stable = StabilityCriteria(errors=50.0, first_chunk_p95=1.0, completion_p95=0.5)
    assert "p95 of the complete answer was 0.6 s, and 0.5 s are allowed" in judged(level(fast=100), stable)[0]
    assert level(fast=95, silent=5).undecided(stable)
    assert not level(fast=95).undecided(stable)


@pytest.mark.parametrize(
    ("made", "own"),
    [
        (level(fast=100, connected=4, own_limit="it has too many files open"), "too many files"),
        (level(slow=100, busy=0.97), "used 97 % of a core"),
        (
            level(fast=100, sent=6.0),
            "10 sessions were all busy, and messages waited for one: 51 of 100 were sent in time",
        ),
        (level(fast=100, sent=0.95), "sessions were all busy"),
    ],
)
def test_what_the_generator_could_not_put_on_is_not_the_servers_miss(made: Level, own: str) -> None:
    """Its descriptors, its CPU time and its sessions each are a reason of its own."""
    missed, why = judged(made)
    assert missed == ""
    assert own in why


def test_a_server_that_is_slow_with_less_load_has_missed_all_the_same() -> None:
    """All sessions are busy since the server is slow: what was sent missed the target by itself."""
    missed, own = judged(level(slow=100, sent=6.0))
    assert "p95 of the first chunk was 9 s" in missed
    assert own == ""


def test_the_row_of_a_level_has_its_rates_and_times() -> None:
    """Offered is what was planned, delivered what was sent in time, goodput what met the targets, each per second."""
    row = level(fast=80, slow=10, failed=10).figures(STABLE, planned=True)
    assert (row.offered, row.delivered, row.goodput, row.errors) == (10.0, 10.0, 8.0, 100.0)
    assert (row.first_chunk_p50, row.first_chunk_p95) == (0.1, math.inf)
    assert row.completion_p50 == pytest.approx(0.6)
    assert row.state == "met"
    assert math.isnan(level(fast=10).figures(STABLE, planned=False).offered)


def test_a_first_chunk_counts_before_its_answer_ends() -> None:
    """A long answer that has begun is no slow first chunk; one that then fails is."""
    followed = LiveFigures(10.0)
    followed.take([["planned", 1, [3, 0.0]], ["first", 1, 0.2]], 0.2)
    made = Level(1.0, 1, 1.0, followed.of(3))
    assert not made.undecided(STABLE)
    assert made.first_chunk(95) == followed.first_chunk(95) == 0.2
    followed.take([["ended", 1, ["cut", 0.2, 0.5]]], 0.5)
    assert math.isinf(made.first_chunk(95))
    assert math.isinf(followed.first_chunk(95))


def ran(load: float, reason: str = "", own: str = "") -> Level:
    """A level that ran."""
    return Level(load, 5, 1.0, reason=reason, own=own)


def test_levels_end_with_the_most() -> None:
    """The last level is the one that was asked for, whatever the step; a list of levels goes before it."""
    assert Ramp(start=5, step=5, most=20).loads() == [5, 10, 15, 20]
    assert Ramp(start=5, step=10, most=20).loads() == [5, 15, 20]
    assert Ramp(start=5, step=10, most=5).loads() == [5]
    assert Ramp(levels=(8.0, 1.0, 2.5)).loads() == [1.0, 2.5, 8.0]
    assert Ramp(of=RATE).text(2.5) == "2.5 messages/s"
    assert Ramp().text(20.0) == "20 sessions"


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_limit_is_found_and_confirmed(climbs: int, holds: int) -> None:
    """The result is the largest level that both the ramp and the hold bear, to the step."""
    found = search(
        Ramp(start=5, step=5, most=50),
        lambda load: ran(load, "" if load <= climbs else "too slow"),
        lambda load: ran(load, "" if load <= holds else "too many errors"),
    )
    assert found.load == min(50, climbs // 5 * 5, holds // 5 * 5)
    assert found.met == (min(climbs, holds) < 50)
    assert bool(found.reason) == found.met
    assert not found.own


def test_a_load_that_could_not_be_put_on_ends_the_search_and_is_no_limit_of_the_server() -> None:
    """The level before is held all the same, and the result says whose limit it is."""
    held: list[float] = []
    found = search(
        Ramp(of=RATE, levels=(1.0, 2.0, 4.0)),
        lambda load: ran(load, own="its 3 sessions were all busy" if load > 2 else ""),
        lambda load: (held.append(load), ran(load))[1],
    )
    assert held == [2.0]
    assert (found.load, found.own) == (2.0, "its 3 sessions were all busy")
    assert found.reason == "at 4 messages/s its 3 sessions were all busy"


@pytest.mark.parametrize(("rate", "took", "needed"), [(4.0, [1.0, 3.0], 17), (0.5, [0.1], 1), (4.0, [], 0)])
def test_long_answers_need_more_sessions(rate: float, took: list[float], needed: int) -> None:
    """As many as are under way, rate times duration, and three standard deviations more."""
    assert needed_sessions(rate, [Followed(0.0, took=each) for each in took]) == needed
