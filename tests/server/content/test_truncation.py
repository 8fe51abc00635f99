"""A value that is too long is cut in its texts, and stays JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.server.content.truncation import JsonCopy, fitted, shortened

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    PLAIN | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=10), inner, max_size=6),
    max_leaves=20,
)


@given(VALUES, st.integers(16, 600))
def test_cutting_gives_json_within_the_limit(value: Any, limit: int) -> None:
    """Whatever the value is; what fits is left as it is."""
    text, cut = fitted(value, limit)
    assert len(text) <= limit
    found = json.loads(text)
    assert cut or found == value


@given(st.text(), st.integers(0, 50))
def test_a_text_is_cut_by_its_length_as_json(text: str, most: int) -> None:
    """An escape is never cut in two."""
    assert len(json.dumps(shortened(text, most), ensure_ascii=False)) - 2 <= most


def test_the_longest_texts_are_cut_first() -> None:
    """The short ones stay whole."""
    text, cut = fitted({"a": "short", "b": "x" * 500, "c": "y" * 80}, 200)
    found = json.loads(text)
    assert cut
    assert found["a"] == "short"
    assert found["c"] == "y" * 80
    assert found["b"].endswith("x…")
    assert len(text) == 200


def test_what_json_cannot_say_becomes_text() -> None:
    """Also what contains itself."""
    circle: list[Any] = [float("nan"), 10**40, b"x"]
    circle.append(circle)
    copy = JsonCopy(100).of(circle)
    assert copy[:3] == ["nan", str(10**40), "b'x'"]
    assert "…" in json.dumps(copy, ensure_ascii=False)
