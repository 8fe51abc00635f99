"""Untrusted text."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure.report.text import flat, plain


@given(st.text(st.characters(), max_size=400), st.integers(min_value=1, max_value=300))
def test_any_text_becomes_one_visible_line(text: str, longest: int) -> None:
    """No character moves the cursor, ends the line or changes the direction; the length is limited."""
    shown = plain(text, longest)
    assert len(shown) <= longest
    assert not {unicodedata.category(sign) for sign in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set("\u202e\u2066\u200f")


def test_what_is_harmless_stays_as_it_is() -> None:
    """Any script, and characters that the formats escape."""
    assert plain("größer <b> & 東京 🎈") == "größer <b> & 東京 🎈"


def test_nested_settings_are_named_by_their_path() -> None:
    """Each value stands beside its whole path."""
    settings = {"load": {"rate": 5.0, "empty": {}}, "sessions": [1, 40], "quiet": True, "none": None}
    assert list(flat(settings)) == [
        ("load.rate", "5"), ("load.empty", "none"), ("sessions", "1, 40"), ("quiet", "yes"), ("none", "none"),
    ]  # fmt: skip
