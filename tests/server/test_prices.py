"""What a call cost by the user's prices; a file that cannot be used is one line and no cost."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ailoop_otel.server.prices import prices_in
from ailoop_otel.tracking.usage import Usage

PRICES = """
["openai/gpt-4o-mini"]
input = 0.15
output = 0.60
["openai/*"]
input = 2
output = 10
cached = 1
"""


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        ("openai/gpt-4o", Usage(1_000_000, 100_000), 3.0),
        ("openai/gpt-4o", Usage(1_000_000, 100_000, cache_read=500_000), 2.5),
        ("openai/gpt-4o-mini", Usage(1_000_000, None, cache_read=500_000), 0.15),
        ("openai/gpt-4o", Usage(1, None, cache_read=9), 9e-6),
        ("openai/gpt-4o", Usage(), None),
        ("anthropic/claude", Usage(1, 1), None),
    ],
)
def test_the_first_pattern_that_fits_has_the_price(
    tmp_path: Path, model: str, usage: Usage, cost: float | None
) -> None:
    """Cached tokens have a price of their own if there is one; what is not known has none."""
    file = tmp_path / "prices.toml"
    file.write_text(PRICES)
    prices = prices_in(str(file))
    assert prices is not None
    prices.apply(model, usage)
    assert usage.cost == (None if cost is None else pytest.approx(cost))
    assert usage.cost_source == (None if cost is None else "computed")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "FileNotFoundError"),
        ("[", "Invalid"),
        ('["a"]\ninput = 1', "'a' is not a table of"),
        ('["a"]\ninput = 1\noutput = -1', "'a' is not a table of"),
        ('["a"]\ninput = 1\noutput = 1\nprompt = 3', "'a' is not a table of"),
        ('["a"]\ninput = 1\noutput = 1\ncached = "1"', "'a' is not a table of"),
        ("a = 1", "'a' is not a table of"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None, told: str) -> None:
    """It names the setting, the file and what is wrong; the server starts all the same."""
    file = tmp_path / "prices.toml"
    if text is not None:
        file.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert prices_in(str(file)) is None
    (line,) = caplog.messages
    assert line.startswith(f"ailoop-otel: AILOOP_OTEL_PRICES={str(file)!r} can't be used (")
    assert told in line


def test_without_a_file_nothing_is_computed() -> None:
    """And nothing is said."""
    assert prices_in("") is None


def test_what_calls_used_adds_up() -> None:
    """What none of them said stays unknown; a sum is computed where a part of it is."""
    total = Usage()
    for each in (Usage(1, 2, reasoning=1, cost=0.5, cost_source="provider"), Usage(10), Usage(cost=0.25)):
        total.add(each)
    assert total == Usage(11, 2, reasoning=1, cost=0.75, cost_source="provider")
    total.add(Usage(cost=1.0, cost_source="computed"))
    total.add(Usage(cost=1.0, cost_source="provider"))
    assert (total.cost, total.cost_source) == (2.75, "computed")
