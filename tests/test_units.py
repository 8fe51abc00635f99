"""Numbers with their units."""

from __future__ import annotations

import math
from datetime import timedelta, timezone

import pytest

from ailoop_otel import units
from tests.view.sample import BEGIN

AT = BEGIN * 10**9 + 123_456_789


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (0.0, "0.0 ms"),
        (0.00042, "0.4 ms"),
        (0.0099, "9.9 ms"),
        (0.00996, "10 ms"),
        (0.3124, "312 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (9.994, "9.99 s"),
        (9.996, "10.0 s"),
        (59.9, "59.9 s"),
        (59.96, "1m 00s"),
        (123.4, "2m 03s"),
        (3720, "1h 02m"),
        (183_600, "2d 03h"),
    ],
)
def test_a_duration_has_three_digits_and_the_unit_that_suits_it(seconds: float | None, text: str) -> None:
    """Neither 0.0003 s nor 300000 ms."""
    assert units.duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(30.0, "30 s"), (0.25, "0.25 s"), (None, "–"), (2e6, "23d 03h")])
def test_a_deadline_is_written_as_it_was_chosen(seconds: float | None, text: str) -> None:
    """30 and not 30.0."""
    assert units.span_of_time(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (38_000, "38 kB"), (1_230_000, "1.23 MB"), (10**18, "1e+06 TB")]
)
def test_a_size_is_decimal(count: int, text: str) -> None:
    """Kilobytes of 1000 bytes, as the settings count them."""
    assert units.size(count) == text


def test_a_count_has_its_noun() -> None:
    """In the singular where there is one."""
    assert [units.counted(number, "span") for number in (0, 1, 1234)] == ["0 spans", "1 span", "1,234 spans"]
    assert units.count(None) == "–"


def test_times_are_of_a_zone() -> None:
    """With the day only where asked for; scripts get UTC and microseconds."""
    east = timezone(timedelta(hours=11))
    assert units.clock(AT, east, day=False) == "01:00:00"
    assert units.clock(AT, east, day=True) == "11-23 01:00:00"
    assert units.clock(0, east, day=True) == "–"
    assert units.day(AT, timezone.utc) == "22 Nov 2025"
    assert units.timestamp(AT) == "2025-11-22T14:00:00.123456+00:00"
    assert units.timestamp(0) is None


def test_short_ids_tell_apart() -> None:
    """As short as they may be, and by both ends where the beginnings are alike."""
    assert units.shorten(["f47ac10b-58cc", "9b2e7c44-0000", ""]) == {
        "f47ac10b-58cc": "f47ac10b",
        "9b2e7c44-0000": "9b2e7c44",
    }
    assert units.shorten(["session-0001", "session-0002"])["session-0002"] == "session-0002"
    long = units.shorten(["a-long-session-id-0001", "a-long-session-id-0002", "s"])
    assert (long["a-long-session-id-0002"], long["s"]) == ("a-lo…id-0002", "s")


def test_a_lone_id_is_brief() -> None:
    """A random one by its beginning, another by both ends."""
    assert units.brief("f47ac10b-58cc-4372") == "f47ac10b"
    assert units.brief("a-long-session-id-0001") == "a-lo…id-0001"
    assert units.brief("demo") == "demo"
