"""The readers of values that somebody else chose: what they return can be recorded, and they never raise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.protocol import foreign

READERS = (
    foreign.amount,
    foreign.count,
    foreign.display_name,
    foreign.harmless,
    foreign.http_error,
    foreign.identifier,
)
ODD: list[Any] = [
    True, -1, 1.5, 10**401, -(10**401), float("nan"), float("inf"), float("-inf"), -0.5, "", "7", "\ud800",
    "a\n", "x" * 65, b"1", [], {}, None, object(),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [("a.b/c:d-e_1", "a.b/c:d-e_1"), (7, "7"), (-7, "-7"), (True, None), (1.0, None), (None, None), ([], None)],
)
def test_harmless_is_short_and_plain(value: Any, text: str | None) -> None:
    """Numbers are, floats and flags are not worth it."""
    assert foreign.harmless(value) == text


@pytest.mark.parametrize("value", ["", "a b", "x" * 65, "ä", "a\n", "\ud800", "{}", 10**64, -(10**64)])
def test_all_else_is_not_harmless(value: Any) -> None:
    """Nothing that could hold a sentence, or that an exporter could not encode."""
    assert foreign.harmless(value) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Debbie the Debugger", "Debbie the Debugger"),
        ("Zoë", "Zoë"),
        ("\ud800", None),
        ("a\nb", None),
        ("\x1b[1m", None),
    ],
)
def test_a_display_name_is_printable(value: str, name: str | None) -> None:
    """Whoever shows it writes nothing else to a terminal, and every exporter can encode it."""
    assert foreign.display_name(value) == name


def test_a_number_that_python_does_not_write_is_read() -> None:
    """`str` raises for it."""
    for reader in READERS:
        assert reader(10**5000) is None


@given(st.sampled_from(ODD) | st.integers() | st.floats() | st.text() | st.binary())
def test_what_is_returned_can_be_recorded(value: Any) -> None:
    """A short text that is UTF-8, or a number of 64 bits that is not negative."""
    for reader in READERS:
        found = reader(value)
        if isinstance(found, str):
            assert 0 < len(found.encode()) <= 4 * 64
        elif found is not None:
            assert 0 <= found <= 2**53
