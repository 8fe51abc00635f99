"""The largest stable number of sessions, without a server."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure.load.ramp import Level, Levels, levels, search
from ailoop_otel.measure.load.scenario import Ramp, StabilityCriteria

STABLE = StabilityCriteria(errors=50.0, first_chunk_p95=1.0)


def level(fast: int = 0, slow: int = 0, failed: int = 0, silent: int = 0, commands: int = 0) -> Level:
    """A level with so many messages of each kind."""
    made = Levels()
    kinds = [("ok", 0.1)] * fast + [("ok", 3.0)] * slow + [("ai_error", None)] * failed + [("ok", None)] * commands
    for number, end in enumerate(kinds):
        made.take([["planned", number, 7], ["ended", number, list(end)]])
    made.take([["planned", len(kinds) + number, 7] for number in range(silent)])
    return made[7]


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
        (level(fast=19, commands=100, silent=2), "did not come in 1 s"),
        (level(), ""),
    ],
)
def test_a_level_is_stable_or_has_a_reason_why_not(made: Level, reason: str) -> None:
    """Errors, slow first chunks and those that never came each count."""
    assert made.instability(STABLE, 10, 10).endswith(reason)
    assert bool(made.instability(STABLE, 10, 10)) == bool(reason)


def test_sessions_that_are_missing_make_it_unstable() -> None:
    """A level whose sessions could not be opened was not reached."""
    assert level(fast=100).instability(STABLE, 9, 10) == "1 of 10 sessions could not be kept open"


def test_a_first_chunk_counts_before_its_answer_ends() -> None:
    """A long answer that has begun is no slow first chunk."""
    made = Levels()
    made.take([["planned", 1, 3], ["first", 1, 0.2]])
    assert made[3].waiting == 0
    assert made[3].first_chunk_p95() == 0.2
    made.take([["ended", 1, ["cut", 0.2]]])
    assert math.isinf(made[3].first_chunk_p95())


def test_levels_end_with_the_most() -> None:
    """The last level is the one that was asked for, whatever the step."""
    assert list(levels(Ramp(start=5, step=5, most=20))) == [5, 10, 15, 20]
    assert list(levels(Ramp(start=5, step=10, most=20))) == [5, 15, 20]
    assert list(levels(Ramp(start=5, step=10, most=5))) == [5]


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_limit_is_found_and_confirmed(climbs: int, holds: int) -> None:
    """The result is the largest level that both the ramp and the hold bear, to the step."""
    found = search(
        Ramp(start=5, step=5, most=50),
        lambda level: "" if level <= climbs else "too slow",
        lambda level: "" if level <= holds else "too many errors",
    )
    assert found.sessions == min(50, climbs // 5 * 5, holds // 5 * 5)
    assert found.met == (min(climbs, holds) < 50)
    assert bool(found.reason) == found.met
