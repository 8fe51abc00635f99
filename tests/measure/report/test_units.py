"""Numbers with their units."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure.report import units
from ailoop_otel.measure.results.definitions import DEFINITIONS
from tests.measure.report.reading import FACTORS, value


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0004, "400 µs"), (0.00062, "620 µs"), (0.00999, "9.99 ms"), (0.312, "312 ms"), (0.9996, "1.00 s"),
        (1.0, "1 s"), (10.008, "10.0 s"), (263.4, "263 s"), (32455.837, "32,456 s"), (0.0, "0 s"),
    ],
)  # fmt: skip
def test_a_duration_is_shown_in_the_unit_that_suits_it(seconds: float, shown: str) -> None:
    """Three significant digits, at least all before the decimal point, and the unit."""
    assert units.scale("s", seconds).quantity(seconds) == shown


def test_one_scale_serves_small_and_large_values_of_a_metric() -> None:
    """A metric whose median is in milliseconds has its maximum in milliseconds too."""
    scale = units.scale("s", 0.12)
    assert (scale.quantity(0.12), scale.quantity(10.0081), scale.quantity(0.0006)) == ("120 ms", "10,008 ms", "0.6 ms")


def test_bytes_are_bytes() -> None:
    """A value in bytes is never shown with a unit of time."""
    assert units.scale("By", 32455837.0).quantity(32455837.0) == "32.5 MB"
    assert units.scale("By/s", 1520.0).quantity(-1520.0) == "−1.52 kB/s"


def test_an_unknown_unit_is_an_error() -> None:
    """It is neither taken for another one nor left out."""
    with pytest.raises(ValueError, match="'furlong'"):
        units.scale("furlong", 1.0)


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=lambda definition: definition.name)
def test_every_unit_of_the_table_has_scales_and_a_name(definition: object) -> None:
    """A new metric with a new unit fails here, before it fails in a report."""
    unit = definition.unit  # type: ignore[attr-defined]
    assert {scale.name for scale in units.SCALES[unit]} <= set(FACTORS)
    assert units.WORDS[unit]


def test_missing_and_infinite_values_have_no_unit() -> None:
    """They are shown by a symbol."""
    scale = units.scale("s", 1.0)
    assert [scale.quantity(each) for each in (None, math.nan, math.inf, -math.inf)] == ["–", "–", "∞", "−∞"]


@given(st.floats(min_value=1e-9, max_value=1e15), st.floats(min_value=1e-6, max_value=1e12))
def test_what_is_shown_is_the_value_to_two_digits(number: float, typical: float) -> None:
    """In every scale the printed number with its unit is the value."""
    for unit in units.SCALES:
        scale = units.scale(unit, typical)
        assert value(scale.number(number), scale.name) == pytest.approx(number, rel=0.051)


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.25, "+25 %"), (-0.031, "−3.1 %"), (0.0, "±0.0 %"), (math.inf, "+∞ %"), (None, "–"), (math.nan, "–"),
     (12.0, "+1,200 %")],
)  # fmt: skip
def test_a_change_has_its_sign(share: float | None, shown: str) -> None:
    """More is plus, less is minus."""
    assert units.change(share) == shown


def test_long_durations_are_in_minutes_and_hours() -> None:
    """Not in thousands of seconds."""
    assert [units.duration(each) for each in (3.5, 125.2, 3720.0)] == ["3.50 s", "2 min 05 s", "1 h 02 min"]
