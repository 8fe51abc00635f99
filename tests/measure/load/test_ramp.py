"""The largest stable load, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure.load.level import Followed, Level
from ailoop_otel.measure.load.ramp import levels, load_text, needed_sessions, search
from ailoop_otel.measure.load.scenario import RATE, Ramp


def ran(load: float, reason: str = "", own: str = "") -> Level:
    """A level that ran."""
    return Level(load, 5, 1.0, reason=reason, own=own)


def test_levels_end_with_the_most() -> None:
    """The last level is the one that was asked for, whatever the step; a list of levels goes before it."""
    assert list(levels(Ramp(start=5, step=5, most=20))) == [5, 10, 15, 20]
    assert list(levels(Ramp(start=5, step=10, most=20))) == [5, 15, 20]
    assert list(levels(Ramp(start=5, step=10, most=5))) == [5]
    assert list(levels(Ramp(levels=(8.0, 1.0, 2.5)))) == [1.0, 2.5, 8.0]
    assert load_text(Ramp(of=RATE), 2.5) == "2.5 messages/s"
    assert load_text(Ramp(), 20.0) == "20 sessions"


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
