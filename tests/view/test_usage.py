"""Tokens and cost in the tables of `traces`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ailoop_otel import names, units
from ailoop_otel.view.options import TracesOptions
from ailoop_otel.view.usage import Usage
from tests.view.conftest import Drawn
from tests.view.sample import Sample

USED = {
    names.USAGE_INPUT: 9_200, names.USAGE_OUTPUT: 41, names.USAGE_CACHE_READ: 9_000, names.USAGE_REASONING: 0,
    names.COST: 0.0125, names.COST_CURRENCY: "USD", names.COST_SOURCE: names.PROVIDER,
}  # fmt: skip
COMPUTED = {names.USAGE_INPUT: 300, names.USAGE_OUTPUT: 7, names.COST: 0.002, names.COST_SOURCE: names.COMPUTED}


@pytest.fixture
def used(sample: Sample) -> Path:
    """An open session with two exchanges that used something, and one that used nothing."""
    start = sample.session("s-1", 1)
    sample.exchange("s-1", 2, 1.0, session=start, used=USED)
    sample.exchange("s-1", 4, 1.0, session=start, used=COMPUTED)
    sample.exchange("s-1", 6, 1.0, session=start)
    return sample.directory


@pytest.mark.parametrize(
    ("width", "shown", "left_out"),
    [
        (80, ("In/out", "Cost"), ("Cached", "Reasoning", "Chunks")),
        (120, ("In/out", "Cost", "Cached"), ("Reasoning", "Chunks")),
        (150, ("In/out", "Cost", "Cached", "Reasoning", "Chunks"), ()),
    ],
)
def test_columns_are_there_where_there_is_room(
    drawn: Drawn, used: Path, width: int, shown: tuple[str, ...], left_out: tuple[str, ...]
) -> None:
    """What is asked most comes first; no line is longer than the terminal."""
    text = drawn(TracesOptions(str(used), waterfalls=0), width)
    assert max(map(len, text.splitlines())) <= width
    (table,) = [part for part in text.split("\n\n") if part.startswith("Exchanges  3")]
    assert [column for column in (*shown, *left_out) if column in table] == [*shown]
    first, second, third = table.splitlines()[-3:]
    assert "9,200/41" in first
    assert "$0.0125" in first
    assert "300/7" in second
    assert "~$0.002" in second
    assert "/" not in third


def test_a_session_has_the_sums_of_its_exchanges(drawn: Drawn, used: Path) -> None:
    """As long as it has not ended; below the tables there are those of all."""
    text = drawn(TracesOptions(str(used), waterfalls=0), 120)
    (line,) = [line for line in text.splitlines() if line.startswith("s-1") and "open" in line]
    assert line.split()[-4:] == ["9,500/48", "~$0.0145", "9,000", "0"]
    assert "Used         tokens 9,500 in (9,000 cached), 48 out, $0.0145 computed" in text
    totals = json.loads(drawn(TracesOptions(str(used), json=True)).splitlines()[-1])
    assert (totals["input_tokens"], totals["cost_usd"]) == (9_500, pytest.approx(0.0145))


def test_the_session_s_own_figures_count(drawn: Drawn, sample: Sample) -> None:
    """They hold what was not traced."""
    start = sample.session("s-1", 1)
    sample.exchange("s-1", 2, 1.0, session=start, used=COMPUTED)
    sample.session_end(start, "s-1", 1, 9, "stopped", 2, 0, used=USED)
    (line,) = [line for line in drawn(TracesOptions(str(sample.directory))).splitlines() if "stopped" in line]
    assert line.split()[-4:] == ["9,200/41", "$0.0125", "9,000", "0"]


def test_without_data_there_is_no_column(drawn: Drawn, sample: Sample) -> None:
    """Of a provider that says nothing."""
    sample.exchange("s-1", 2, 1.0, used={names.USAGE_INPUT: 5})
    text = drawn(TracesOptions(str(sample.directory), waterfalls=0), 150)
    assert "5/–" in text
    assert not [column for column in ("Cost", "Cached", "Reasoning") if column in text]


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "$0.00"),
        (1234.567, "$1,234.57"),
        (1.0, "$1.00"),
        (0.5, "$0.50"),
        (0.99999, "$1.00"),
        (0.0000123, "$0.0000123"),
        (1e-12, "$0.00"),
    ],
)
def test_money_is_written_without_powers_of_ten(amount: float, text: str) -> None:
    """To the cent, or with three digits below a dollar."""
    assert units.dollars(amount) == text


def test_nothing_and_something_is_something() -> None:
    """What nobody said is no zero."""
    assert Usage().plus(Usage()) == Usage()
    assert Usage(input_tokens=1).plus(Usage(input_tokens=2, cost=0.5, computed=True)) == Usage(
        3, cost=0.5, computed=True
    )
