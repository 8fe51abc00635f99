"""Notes report when the load generator itself delayed what it measured, and what a search found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ailoop_otel.measure.load import result
from ailoop_otel.measure.load.level import SearchResult
from ailoop_otel.measure.load.scenario import Ramp, StabilityCriteria
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import observed
from ailoop_otel.measure.results.run import Context, Run


def process(busy: float = 0.1, late: float = 0.001, **report: Any) -> Any:
    """What is asked of a load process."""
    return SimpleNamespace(late=late, busy=[busy] * 10, report=report)


def run(delays: list[float]) -> Run:
    """A run whose messages were sent so late."""
    return Run(Context("x"), [observed(definitions.SEND_DELAY, delay, 0.0) for delay in delays])


@pytest.mark.parametrize(
    ("processes", "delays", "expected"),
    [
        ([process()], [0.001] * 100, []),
        ([process(), process(busy=0.97)], [0.001] * 100, []),
        ([process(busy=0.97, late=0.05)], [0.04] * 100, []),
        ([process(late=0.05)], [0.04] * 100, ["late by up to 50 ms"]),
        ([process()], [0.001] * 90 + [0.5] * 10, ["Of 100 messages 10 found all sessions busy"]),
        ([process()] * 2, [0.001] * 90 + [0.5] * 10, ["busy when they were due and waited, which counts in"]),
        ([process()], [0.001] * 95 + [0.5] * 5, []),
        ([process(unknown_dialect=True)], [], ["dialect that is not known"]),
        ([process(unread=True), process()], [], ["unknown form"]),
        ([process(problems=("reply of x raised",))] * 2, [], ["In the load generator reply of x raised."]),
        ([], [], []),
    ],
)
def test_what_delayed_the_messages_is_told_apart(
    processes: list[Any], delays: list[float], expected: list[str]
) -> None:
    """A busy machine and sessions that were all busy are different things; a busy generator is the verdict's."""
    notes = list(result.generator_notes(run(delays), processes))
    assert len(notes) == len(expected)
    assert all(part in note for part, note in zip(expected, notes, strict=True))


def test_a_search_says_what_it_means() -> None:
    """The limit with its reason, or that it was not met; the definition; and how little the first levels rest on."""
    ramp, stable = Ramp(start=2, step=3, seconds=1.0, rate=1.0), StabilityCriteria()
    notes = list(result.search_notes(SearchResult(8, "at 11 sessions too slow", met=True), ramp, stable))
    assert notes[0] == "Stable with 8 sessions, to the step of 3: at 11 sessions too slow."
    assert "at most 10 errors per 1,000 messages" in notes[1]
    assert "fewer than 20 messages" in notes[2]
    assert "try more" in next(result.search_notes(SearchResult(200, "", met=False), Ramp(), stable))


@pytest.mark.parametrize(("seconds", "growth", "noted"), [(5, 2e5, True), (5, 0.0, False), (31, 2e5, False)])
def test_growth_within_seconds_is_not_called_a_leak(seconds: int, growth: float, noted: bool) -> None:
    """A server that warms up grows too; after half a minute it is what it is."""
    samples = [observed(definitions.MEMORY, 5e7, float(at)) for at in range(100, 101 + seconds)]
    notes = list(result.growth_notes(growth, samples))
    assert [f"growth is that of {seconds} s" in note for note in notes] == [True] * noted


def test_a_server_elsewhere_has_no_memory_here() -> None:
    """Said, and not left out silently."""
    assert ["--pid" in note for note in result.server_notes(None, lost=False)] == [True]
    assert list(result.server_notes(7, lost=False)) == []
    assert "ended" in next(result.server_notes(7, lost=True))
