"""The summary in a terminal."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from ailoop_otel.measure import report
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict.verdict import Judgement
from tests.measure.report import hostile, sample


def shown(run: Run, width: int = 80, judgement: Judgement | None = None, encoding: str = "utf-8") -> str:
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, encoding=encoding, write_through=True)
    report.show(run, Console(file=file, width=width), judgement)
    return buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_figure_is_cut(width: int) -> None:
    """Lines fit the terminal, and no cell ends in dots."""
    lines = shown(sample.mixed(240, failing=0.15), width, sample.judgement()).splitlines()
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if "…" in line]


def test_the_verdict_is_the_last_line() -> None:
    """That is where a reader looks for it."""
    last = shown(sample.mixed(60), judgement=sample.judgement()).splitlines()[-1]
    assert last == "✗ FAIL  5 figures judged: 2 passed, 2 failed, 1 inconclusive"


def test_a_figure_that_did_not_pass_has_a_reason() -> None:
    """One that passed needs none."""
    text = shown(sample.mixed(60), judgement=sample.judgement())
    assert "completion p95: 25 % slower, 10 % is allowed" in text
    assert "the most is 500 MB" not in text


def test_hostile_strings_do_not_control_the_terminal() -> None:
    """No escape sequence is printed, and no text is read as rich's markup."""
    text = shown(hostile.run(), 120, hostile.judgement())
    assert not set(text) & {"\x1b", "\x07", "\r", "\u202e"}
    assert "[a](javascript:alert(3))" in text.replace("\n", " ")


@pytest.mark.parametrize("values", [[], [math.nan], [math.nan] * 9, [0.5]])
def test_little_data_is_shown(values: list[float]) -> None:
    """No exchange, only NaN, one exchange."""
    assert "AILoop performance: few" in shown(sample.few(*values))
    assert "nan" not in shown(sample.few(*values, outcome="cut"))


def test_a_terminal_without_unicode_gets_ascii() -> None:
    """Each special character has a replacement."""
    text = shown(sample.mixed(240, failing=0.15), judgement=sample.judgement(), encoding="ascii")
    assert "x FAIL" in text
    assert "failures as inf" in text
