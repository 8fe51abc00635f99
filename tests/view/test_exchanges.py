"""Where the time of an exchange went."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ailoop_otel import names
from ailoop_otel.recorded.otlp_json import Value
from ailoop_otel.recorded.records import Span
from ailoop_otel.view.exchanges import mostly, time_breakdown

TIMES = (names.TIME_MODEL_WAIT, names.TIME_MODEL_STREAM, names.TIME_TOOLS, names.TIME_SERVER, names.TIME_LOOP_LAG)


def _span(attributes: Mapping[str, Value], name: str = "sendUserMessage") -> Span:
    return Span("ab" * 16, "a", "", name, True, 1, 2, attributes, False, (), names.SCOPE)


def _of(*seconds: float) -> Span:
    return _span(dict(zip(TIMES, seconds, strict=True)))


@pytest.mark.parametrize(
    ("seconds", "largest"),
    [
        ((0.3, 0.1, 0.2, 0.014, 0.002), "model"),
        ((0.1, 0.1, 1.01, 0.014, 1.0), "tools"),
        ((0.0, 0.0, 0.0, 0.2, 0.01), "server"),
        ((0.3, 0.1, 0.0, 1.0, 0.9), "lag"),
        ((1.5, 0.1, 0.0, 0.1, 1.2), "lag"),
        ((0.0, 0.0, 0.0, 0.0, 0.0), ""),
    ],
)
def test_the_largest_part_is_what_took_most(seconds: tuple[float, ...], largest: str) -> None:
    """A late event loop makes everything look slow but the tool of one's own that blocks it."""
    assert mostly(_of(*seconds)) == largest


def test_the_parts_are_reported_in_words() -> None:
    """Those that are next to nothing are left out."""
    attributes: dict[str, Value] = {
        **dict(zip(TIMES, (0.3, 0.1, 1.01, 0.014, 0.002), strict=True)),
        names.BLOCKED_BY: "execute_command",
        names.BLOCKED_TIME: 1.01,
    }
    assert list(time_breakdown(_span(attributes))) == [
        "model 300 ms waiting + 100 ms streaming",
        "tools 1.01 s",
        "server 14 ms",
        "loop late 2.0 ms",
        "frozen 1.01 s by execute_command",
    ]
    assert list(time_breakdown(_of(0.3, 0, 0, 0.0001, 0))) == ["model 300 ms waiting"]


def test_an_exchange_that_was_seen_from_outside_only_tells_nothing() -> None:
    """Nor do times that are no numbers."""
    strange = {names.MESSAGE_SIZE: 3}, {names.TIME_LOOP_LAG: 3.0}, dict.fromkeys(TIMES, "soon")
    for span in map(_span, strange):
        assert (mostly(span), list(time_breakdown(span))) == ("", [])
