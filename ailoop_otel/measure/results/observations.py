"""Observations: the raw data of a run, one row per value with its unit."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from ailoop_otel.measure.results.definitions import Definition

OK: Final = "ok"
_NUMBERS_PER_PROCESS: Final = 1_000_000
# Larger than anything that is measured, and small enough for sums and squares of many.
_LARGEST: Final = 1e18
# `warmup` is in the raw data and in no figure; `ramp` is the search for the largest stable number of sessions. Each
# other phase is a stage of the load, by its name.
Phase = str
PHASES: Final = ("warmup", "ramp", "hold", "run")


class Observation(NamedTuple):
    """One measured value of one metric.

    `value` is in `unit`, NaN where the event never came (an answer without a chunk). `at` is in seconds since the run
    began: for an exchange the time at which its message was planned to be sent. `outcome` is `ok` or the kind of
    failure. `session` and `exchange` are numbers within the run, -1 where the observation has none; `label`
    distinguishes observations of one metric (a step's name, the phase of a timeout). `process` is the number of the
    load process or test process.
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
        """Whether its exchange, session or call failed: percentiles leave it out, or count it as infinitely slow."""
        return self.outcome != OK


def observed(definition: Definition, value: float, at: float, **more: object) -> Observation:
    """Create an observation of a metric, in the unit of its definition; `more` are further fields."""
    return Observation(definition.name, value, definition.unit, at, **more)  # type: ignore[arg-type]


def read_number(text: str | float) -> float:
    """Read a finite number from a file; raises ValueError for anything else."""
    number = float(text)
    if not abs(number) < _LARGEST:
        raise ValueError(f"{text!r:.40} is no measured value")
    return number


def is_missing(value: float) -> bool:
    """Whether the event of an observation never came."""
    return math.isnan(value)


class ObservationLog:
    """The observations of one process of a test run, and the numbers of its sessions and exchanges.

    `origin` is the start of the run, in seconds of this process's `time.perf_counter()`. Each process numbers from
    `process` times a million on, so that no two processes give the same number.
    """

    def __init__(self, origin: float, process: int = 0) -> None:
        self.origin = origin
        self.process = process
        self.rows: list[Observation] = []
        self._sessions = self._exchanges = process * _NUMBERS_PER_PROCESS - 1

    def next_session(self) -> int:
        """Return the number of a new session."""
        self._sessions += 1
        return self._sessions

    def next_exchange(self) -> int:
        """Return the number of a new exchange."""
        self._exchanges += 1
        return self._exchanges
