"""Values with their units, read and written."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure.results.definitions import DEFINITIONS, UNITS
from ailoop_otel.measure.results.quantities import percent, quantity, scale, shown
from tests.measure.report.reading import FACTORS
from tests.measure.report.reading import value as read_value


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("2 s", "s", 2.0),
        ("250ms", "s", 0.25),
        (" 1.5 min ", "s", 90.0),
        ("3e2 µs", "s", 3e-4),
        ("200 MB", "By", 2e8),
        ("1 MiB", "By", 1048576.0),
        ("10 kB/s", "By/s", 1e4),
        ("36 MB per h", "By/s", 1e4),
        ("40 kB / session", "By/{session}", 4e4),
        ("20 /s", "{message}/s", 20.0),
        ("1200 messages/min", "{message}/s", 20.0),
        ("5 per 1,000", "{error}/1000", 5.0),
        ("0.5 %", "{error}/1000", 5.0),
        ("50", "{session}", 50.0),
        ("-80 %", "1", -0.8),
    ],
)
def test_a_value_is_read_with_its_unit(text: str, unit: str, value: float) -> None:
    """In the metric's own unit."""
    assert quantity(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit", "mend"),
    [
        ("2", "s", "'2' has no unit: write \"2 s\" (units: ns, us, µs, ms, s, min, h)"),
        ("2 MB", "s", "has the unit 'MB': write \"2 s\""),
        ("250 ms", "By", "has the unit 'ms': write \"200 MB\""),
        ("2 MB", "By/s", 'write "10 kB/s"'),
        ("fast", "s", 'is no value: write "2 s"'),
        ("", "s", 'is no value: write "2 s"'),
        ("1e999 s", "s", "is too large"),
    ],
)
def test_another_unit_is_an_error_that_names_the_mend(text: str, unit: str, mend: str) -> None:
    """Bytes are no time, and a number alone is nothing."""
    with pytest.raises(ValueError, match=".") as error:
        quantity(text, unit)
    assert mend in str(error.value)


@given(st.text(max_size=30), st.sampled_from(sorted(UNITS)))
def test_any_text_is_read_or_refused(text: str, unit: str) -> None:
    """A finite number or ValueError, nothing else."""
    with suppress(ValueError):
        assert math.isfinite(quantity(text, unit))


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (0.3124, "first_chunk", "312 ms"), (0.0, "first_chunk", "0 ms"), (10.0081, "first_chunk", "10,008 ms"),
        (-0.00421, "first_chunk_difference", "−4.21 ms"), (0.0000012, "chunk_gap", "0.0012 ms"),
        (0.5, "session_duration", "0.5 s"), (123_456.0, "server_memory", "0.123 MB"),
        (3.2e9, "server_memory", "3,200 MB"),
        (-1520.0, "memory_growth", "−1.52 kB/s"), (400.0, "memory_per_session", "0.4 kB/session"),
        (5.0, "error_rate", "5 per 1,000"), (38.83, "message_rate", "38.8 messages/s"), (0.5, "server_cpu", "50 %"),
        (math.inf, "first_chunk", "∞"), (-math.inf, "first_chunk", "−∞"), (math.nan, "first_chunk", "–"),
    ],
)  # fmt: skip
def test_a_metric_has_one_unit_whatever_its_value(value: float, metric: str, text: str) -> None:
    """Three digits; so that two reports can be compared by eye, and bytes are never shown with a unit of time."""
    assert shown(value, metric) == text


def test_an_unknown_metric_is_an_error() -> None:
    """It is neither taken for another one nor left out."""
    with pytest.raises(KeyError, match="furlong"):
        scale("furlong")


def test_every_metric_is_shown_in_a_unit_that_readers_know() -> None:
    """A new metric with a new unit fails here, before it fails in a report."""
    assert {scale(name).name for name in DEFINITIONS} <= FACTORS.keys()


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_what_is_shown_is_the_value_to_two_digits(number: float) -> None:
    """In the scale of every metric the printed number with its unit is the value."""
    for each in {scale(name) for name in DEFINITIONS}:
        assert read_value(each.number(number), each.name) == pytest.approx(number, rel=0.051)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.2, "+20 %"), (-0.031, "−3.1 %"), (0.0, "±0.0 %"), (12.0, "+1,200 %"), (math.inf, "+∞ %"), (None, "–"),
     (math.nan, "–")],
)  # fmt: skip
def test_a_change_has_its_sign(share: float | None, text: str) -> None:
    """In per cent: more is plus, less is minus."""
    assert percent(share) == text
