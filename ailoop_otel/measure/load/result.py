"""What a run against a server has one value of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from ailoop_otel.measure.load.ramp import Found
from ailoop_otel.measure.load.scenario import Scenario
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics.estimates import steady
from ailoop_otel.measure.statistics.intervals import slope
from ailoop_otel.measure.statistics.throughput import answers_per_second

_FEWEST_SAMPLES: Final = 10
_FEWEST_OPENED: Final = 5


def figures(
    run: Run, scenario: Scenario, by_opened: Sequence[tuple[int, int]], found: Found | None, at: float
) -> Iterator[Observation]:
    """The figures of a run's observations, placed at its end.

    `by_opened` pairs sessions opened so far with the server's memory in bytes; `found` is what a search came to.
    """
    exchanges = steady(run, definitions.COMPLETION)
    if exchanges:
        yield observed(definitions.RATE, float(answers_per_second(exchanges)[0]), at)
        failed = sum(row.failed for row in exchanges)
        yield observed(definitions.ERROR_RATE, 1000 * failed / len(exchanges), at)
    if found is not None:
        yield observed(definitions.STABLE_SESSIONS, float(found.sessions), at)
    # While a limit is searched, memory follows the load at least as much as the sessions.
    if found is None and by_opened and by_opened[-1][0] - by_opened[0][0] >= _FEWEST_OPENED:
        per_session = _slope([count for count, _ in by_opened], [memory for _, memory in by_opened])
        yield observed(definitions.MEMORY_PER_SESSION, per_session, at)
    memory = steady_memory(run, scenario)
    if len(memory) >= _FEWEST_SAMPLES:
        growth = _slope([row.at for row in memory], [row.value for row in memory])
        yield observed(definitions.MEMORY_GROWTH, growth, at)


def steady_memory(run: Run, scenario: Scenario) -> list[Observation]:
    """The samples of the server's memory that its growth is the slope of: those under an even load."""
    return [row for row in run.of(definitions.MEMORY) if scenario.ramp is None or row.phase == "hold"]


def _slope(at: Sequence[float], values: Sequence[float]) -> float:
    return slope(np.array(at, dtype=float), np.array(values, dtype=float)).value
