"""Answers per second, worked by hand."""

from __future__ import annotations

import math

import pytest

from ailoop_otel.measure.results.definitions import COMPLETION
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.statistics.estimates import answers_per_second


def answers(sessions: int, seconds: float, until: float, **more: str) -> list[Observation]:
    """Sessions that ask again as soon as they are answered, all in step."""
    moments = [turn * seconds for turn in range(math.ceil(until / seconds))]
    return [observed(COMPLETION, seconds, at, **more) for at in moments for _ in range(sessions)]


@pytest.mark.parametrize("until", [2.0, 2.2, 2.39, 10.0])
def test_the_rate_does_not_depend_on_where_a_run_is_cut(until: float) -> None:
    """30 sessions at 0.4 s make 75 a second, also in five answers each."""
    assert answers_per_second(answers(30, 0.4, until), 12) == pytest.approx(75.0)


def test_failures_are_no_answers() -> None:
    """Half of the sessions fail."""
    rows = answers(10, 0.5, 5.0) + answers(10, 0.5, 5.0, outcome="ai_error")
    assert answers_per_second(rows) == pytest.approx(20.0)


def test_one_answer_is_counted_over_its_time() -> None:
    """One in two seconds is half a one a second, and none is none."""
    assert answers_per_second([observed(COMPLETION, 2.0, 7.0)]) == pytest.approx(0.5)
    assert answers_per_second([observed(COMPLETION, math.nan, 7.0)], 3).tolist() == [0, 0, 0]
