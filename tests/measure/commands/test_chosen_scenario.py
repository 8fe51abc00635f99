"""The options of a load curve as settings."""

from __future__ import annotations

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.commands.chosen_scenario import load_curve
from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.verdict import targets

TARGETS = targets.parse(
    {"first_chunk": {"p95": "500 ms", "p50": "1 s"}, "completion": {"p95": "9 s"}, "error_rate": {"value": "5 /1000"}},
    "mixed",
)


def loaded(name: str, rates: str = "", sessions: str = "", *overrides: str) -> scenario.Scenario:
    return scenario.load(name, [*load_curve(rates, sessions, 7.5, TARGETS), *overrides])


@pytest.mark.parametrize("name", ["mixed", "throughput", "concurrent_sessions", "memory_usage"])
def test_rates_are_levels_of_an_open_loop(name: str) -> None:
    """Whatever the loop of the scenario; the targets are those of the run."""
    made = loaded(name, "1,2.5, 8")
    assert made.ramp is not None
    assert (made.loop, made.ramp.of, made.ramp.levels, made.ramp.seconds) == ("open", "rate", (1.0, 2.5, 8.0), 7.5)
    assert (made.stable.first_chunk_p95, made.stable.completion_p95, made.stable.errors) == (0.5, 9.0, 5.0)
    assert made.most_sessions == made.sessions


def test_levels_of_sessions_keep_the_loop() -> None:
    """In a closed loop each session asks again at once; a setting of the user goes before a target."""
    made = loaded("throughput", "", "5,10", "stable.errors=20")
    assert made.ramp is not None
    assert (made.loop, made.ramp.of, made.most_sessions, made.stable.errors) == ("closed", "sessions", 10, 20.0)


@pytest.mark.parametrize(
    ("rates", "sessions", "seconds", "expected"),
    [
        ("1,2", "5", None, "two load curves"),
        ("1,x", "", None, "--rates '1,x' are no levels: write --rates 1,2,4,8"),
        ("", "1,,2", None, "--sessions '1,,2' are no levels"),
        ("nan", "", None, "are no levels"),
        ("", "", 5.0, "--seconds is for a level of --rates or --sessions"),
    ],
)
def test_what_is_no_load_curve_is_refused(rates: str, sessions: str, seconds: float | None, expected: str) -> None:
    """One sentence with the mend."""
    with pytest.raises(Refusal, match=expected):
        list(load_curve(rates, sessions, seconds, None))


def test_levels_that_cannot_be_are_refused_by_the_scenario() -> None:
    """Half a session, and a rate of nothing."""
    with pytest.raises(Refusal, match="whole numbers"):
        loaded("mixed", "", "2.5")
    with pytest.raises(Refusal, match="a number from 0.001"):
        loaded("mixed", "0,1")
