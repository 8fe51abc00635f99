"""How `--since` is written."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.settings import UsageError
from ailoop_otel.since import parse_since

NOW = 1_764_000_000 * 10**9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("30 min", 1800),
        ("1h30m", 5400),
        ("1 h 30 min", 5400),
        ("2d", 172_800),
        (" 1.5H ", 5400),
    ],
)
def test_a_span_is_so_long_before_now(text: str, seconds: float) -> None:
    """In seconds, minutes, hours and days, also together."""
    assert parse_since(text, NOW) == NOW - seconds * 10**9


def test_a_moment_is_itself() -> None:
    """With its zone, or in local time."""
    moment = datetime(2025, 11, 28, 10, 0, tzinfo=timezone.utc)
    assert parse_since("2025-11-28T10:00Z", NOW) == moment.timestamp() * 1e9
    assert parse_since("2025-11-28 11:00:00+01:00", NOW) == moment.timestamp() * 1e9
    assert parse_since("2025-11-28", NOW) == datetime(2025, 11, 28).astimezone().timestamp() * 1e9


def test_nothing_is_no_limit() -> None:
    """All that was recorded."""
    assert parse_since("", NOW) == 0


@pytest.mark.parametrize("text", ["10", "m", "10 minutes", "-5m", "1h x", "banana", "2025-13-01", "٣ x"])
def test_what_has_no_sense_is_refused(text: str) -> None:
    """With one line that shows how to write one."""
    with pytest.raises(UsageError, match="write 90s, 10m"):
        parse_since(text, NOW)


@given(text=st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """And nothing else happens."""
    with suppress(UsageError):
        assert isinstance(parse_since(text, NOW), int)
