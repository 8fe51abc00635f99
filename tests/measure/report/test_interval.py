"""The drawing of a judged figure's interval."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

from ailoop_otel.measure.report.interval import WIDTH, drawing
from ailoop_otel.measure.verdict.verdict import Judged, Verdict
from tests.measure.report import sample

PASSED, SLOWER, INFINITE, FEWER, BARE = sample.judgement().rows


def test_a_figure_lies_between_its_bounds_and_before_its_target() -> None:
    """Less is better here: what is too much is on the right."""
    drawn = drawing(PASSED)
    assert drawn is not None
    assert drawn.low < drawn.value < drawn.high < (drawn.limit or 0)
    assert drawn.beyond == (drawn.limit, WIDTH - (drawn.limit or 0))


def test_a_change_beyond_what_is_allowed_lies_in_what_is_beyond() -> None:
    """No change stands left of the limit, and the whole interval right of it."""
    drawn = drawing(SLOWER)
    assert drawn is not None
    assert (drawn.zero or 0) < (drawn.limit or 0) < drawn.low < drawn.value < drawn.high


def test_where_more_is_better_too_little_is_on_the_left() -> None:
    """The limit of an allowed loss of five per cent lies within the interval from minus six to plus one."""
    drawn = drawing(FEWER)
    assert drawn is not None
    assert drawn.low < (drawn.limit or 0) < drawn.value < (drawn.zero or 0) < drawn.high
    assert drawn.beyond == (0.0, drawn.limit)


def test_infinity_stands_at_the_edge() -> None:
    """Where failures reach a percentile."""
    drawn = drawing(INFINITE)
    assert drawn is not None
    assert drawn.value == drawn.high > (drawn.limit or 0)


def test_without_bounds_the_figure_stands_alone() -> None:
    """Its interval is a point."""
    drawn = drawing(BARE)
    assert drawn is not None
    assert drawn.low == drawn.value == drawn.high


def test_nothing_is_drawn_of_what_is_not_known() -> None:
    """A metric that was not observed."""
    assert drawing(replace(PASSED, value=math.nan, low=math.nan, high=math.nan)) is None


def test_whatever_is_known_stays_within_the_drawing() -> None:
    """Zeros, infinities and unknown bounds included."""
    values = (-1.0, 0.0, 2.0, math.inf, -math.inf, math.nan)
    for low, value, high, limit in product(values, repeat=4):
        for more in ({"target": limit}, {"reference": 1.0, "change": value, "change_low": low, "allowed": abs(limit)}):
            row = Judged("first_chunk", "s", "p95", value, low, high, Verdict.PASS, "", **more)
            drawn = drawing(row)
            if drawn is not None:
                assert all(0 <= each <= WIDTH for each in (drawn.low, drawn.value, drawn.high, drawn.limit or 0))
