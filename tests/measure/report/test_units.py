"""Numbers with their units."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure.report import units
from ailoop_otel.measure.results.definitions import DEFINITIONS
from tests.measure.report.reading import FACTORS, value

SCALES = {units.scale(each) for each in DEFINITIONS}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0004, "400 µs"), (0.00062, "620 µs"), (0.00999, "9.99 ms"), (0.312, "312 ms"), (0.9996, "1.00 s"),
        (1.0, "1 s"), (10.008, "10.0 s"), (263.4, "263 s"), (32455.837, "32,456 s"),
    ],
)  # fmt: skip
def test_a_duration_that_is_no_metric_is_shown_in_the_unit_that_suits_it(seconds: float, shown: str) -> None:
    """Three significant digits, at least all before the decimal point, and the unit."""
    assert units.fitting("s", seconds).quantity(seconds) == shown


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("first_chunk", 0.12, "120 ms"), ("first_chunk", 10.0081, "10,008 ms"), ("chunk_gap", 0.0000012, "0.0012 ms"),
        ("completion", 0.0, "0 ms"), ("session_duration", 0.5, "0.5 s"), ("server_memory", 32455837.0, "32.5 MB"),
        ("server_memory", 3.2e9, "3,200 MB"), ("memory_growth", -1520.0, "−1.52 kB/s"), ("server_cpu", 0.5, "50 %"),
        ("memory_per_session", 400.0, "0.4 kB/session"),
    ],
)  # fmt: skip
def test_a_metric_has_one_unit_whatever_its_value(metric: str, value: float, shown: str) -> None:
    """So that two reports can be compared by eye, and bytes are never shown with a unit of time."""
    assert units.scale(metric).quantity(value) == shown


def test_an_unknown_metric_is_an_error() -> None:
    """It is neither taken for another one nor left out."""
    with pytest.raises(KeyError, match="furlong"):
        units.scale("furlong")


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=lambda definition: definition.name)
def test_every_unit_of_the_table_has_scales_and_a_name(definition: object) -> None:
    """A new metric with a new unit fails here, before it fails in a report."""
    unit = definition.unit  # type: ignore[attr-defined]
    assert units.scale(definition).name in FACTORS  # type: ignore[arg-type]
    assert units.WORDS[unit]
    assert units.scale(definition).name == definition.shown_in  # type: ignore[arg-type,attr-defined]


def test_missing_and_infinite_values_have_no_unit() -> None:
    """They are shown by a symbol."""
    scale = units.scale("first_chunk")
    assert [scale.quantity(each) for each in (None, math.nan, math.inf, -math.inf)] == ["–", "–", "∞", "−∞"]


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_what_is_shown_is_the_value_to_two_digits(number: float) -> None:
    """In the scale of every metric the printed number with its unit is the value."""
    for scale in SCALES:
        assert value(scale.number(number), scale.name) == pytest.approx(number, rel=0.051)


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.25, "+25 %"), (-0.031, "−3.1 %"), (0.0, "±0.0 %"), (math.inf, "+∞ %"), (None, "–"), (math.nan, "–"),
     (12.0, "+1,200 %")],
)  # fmt: skip
def test_a_change_has_its_sign(share: float | None, shown: str) -> None:
    """More is plus, less is minus."""
    assert units.percent(share) == shown


def test_long_durations_are_in_minutes_and_hours() -> None:
    """Not in thousands of seconds."""
    assert [units.duration(each) for each in (3.5, 125.2, 3720.0)] == ["3.50 s", "2m 05s", "1h 02m"]
