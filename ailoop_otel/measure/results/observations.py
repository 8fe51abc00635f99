"""The raw data: one row per observation, each with its unit."""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

from ailoop_otel.measure.results.definitions import Definition

OK: Final = "ok"
# What is measured in `warmup` is in the raw data and in no figure; `ramp` is the search for a limit.
Phase = Literal["warmup", "ramp", "hold", "run"]


class Observation(NamedTuple):
    """One value that was seen.

    `value` is NaN where the event never came (an answer without a chunk). `at` is in seconds since the run began:
    for an exchange the moment it was planned to be sent. `outcome` is `ok` or the kind of failure. `session` and
    `exchange` are numbers of this run, -1 where the observation has none; `label` tells apart what one metric holds
    several of (a step's name, the phase of a timeout). `process` is the number of the load process.
    """

    metric: str
    value: float
    unit: str
    at: float
    outcome: str = OK
    phase: Phase = "run"
    session: int = -1
    exchange: int = -1
    trace_id: str = ""
    label: str = ""
    process: int = 0

    @property
    def failed(self) -> bool:
        """Whether its exchange, session or call failed: outside the percentiles, or inside as infinitely slow."""
        return self.outcome != OK


def observed(definition: Definition, value: float, at: float, **more: object) -> Observation:
    """Make an observation of a metric; the unit is the definition's, so it cannot be another."""
    return Observation(definition.name, value, definition.unit, at, **more)  # type: ignore[arg-type]


def is_missing(value: float) -> bool:
    """Whether the event of an observation never came."""
    return math.isnan(value)
