"""What a soak found, and what must be true of it."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from ailoop_otel import names
from tests.reliability.results import about

_BACK_TO_NOTHING = (
    names.METRIC_EXCHANGE_ACTIVE.name,
    names.METRIC_SESSION_ACTIVE.name,
    names.METRIC_CONNECTION_ACTIVE.name,
)


# It begins when the collector does not take something for the first time, and goes on until the end.
_BEGUN_IN_TROUBLE = "ailoop-otel-spool"
_WHOSE = ("with", "without")
_OF_CONVERSATIONS = ("Call", "Connection", "Exchange", "Session", "Socket")
SESSIONS_A_SECOND = 2_000 / 600
# Bytes a session beyond the server's own growth, outages included: each of the two in ten minutes leaves 4 to 5 MB with
# the process, which is 5,200 a session. No exchange, session or connection is left then, and ten short ones in a row
# left no more from the third on: the allocator keeps what the longest queue took.
GROWTH = 8_192
# The same while the collector is there, in a run that is long enough to tell.
CALM_GROWTH = 2_048
LONG = 300  # seconds
# Parts of the time: before, between and after the two outages.
_CALM = ((0.03, 0.25), (0.45, 0.6), (0.8, 1.0))


@dataclass(frozen=True)
class Sample:
    """One moment: seconds since the beginning, memory of both servers in bytes, and what the package holds."""

    at: float
    memory: int
    memory_without: int
    threads: int
    descriptors: int
    waiting: int  # bytes that wait on disk for the collector
    delivered: int  # root spans that the collector has


@dataclass
class Soak:
    """What came of it: `made` is what the client counted; what is alive is counted before and after the sessions."""

    seconds: float
    sessions: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    made: int = 0
    delivered: int = 0
    kept: int = 0
    lost: int = 0
    repeated: int = 0
    spans: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    alive_before: dict[str, Any] = field(default_factory=dict)
    alive_after: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    @property
    def growth(self) -> tuple[float, float]:
        """By how much memory grows, with the package and without, in the later two thirds: bytes a session."""
        later = self.samples[len(self.samples) // 3 :]
        at = [sample.at for sample in later]
        with_package = statistics.linear_regression(at, [float(sample.memory) for sample in later]).slope
        without = statistics.linear_regression(at, [float(sample.memory_without) for sample in later]).slope
        return with_package / SESSIONS_A_SECOND, without / SESSIONS_A_SECOND

    @property
    def calm_growth(self) -> float:
        """By how much more memory grows with the package while the collector is there: bytes a session."""
        grown, lasted = 0.0, 0.0
        for begin, end in _CALM:
            part = [each for each in self.samples if begin <= each.at / self.seconds <= end]
            more = [float(each.memory - each.memory_without) for each in part]
            grown += statistics.linear_regression([each.at for each in part], more).slope * (end - begin)
            lasted += end - begin
        return grown / lasted / SESSIONS_A_SECOND

    @property
    def faults(self) -> list[str]:
        """What should not be, in words; none where all is well."""
        before, after = self.alive_before, self.alive_after
        threads = Counter(after["threads"]) - Counter([*before["threads"], _BEGUN_IN_TROUBLE])
        found = [f"{name} is left" for name in threads]
        if after["tasks"] > before["tasks"]:
            found.append(f"{after['tasks']} tasks are left of {before['tasks']}")
        found += [f"{name} is {self.metrics[name]:g} in the end" for name in _BACK_TO_NOTHING if self.metrics.get(name)]
        found += [f"{count} × {kind} is left" for kind, count in self.objects_left.items()]
        if self.lost or self.kept:
            found.append(f"{self.lost} records are lost, {self.kept} messages still wait")
        growth, without = self.growth
        if growth > without + GROWTH:
            found.append(f"memory grows by {growth:,.0f} B a session, without the package by {without:,.0f} B")
        if self.seconds >= LONG and self.calm_growth > CALM_GROWTH:
            found.append(f"memory grows by {self.calm_growth:,.0f} B a session more while the collector is there")
        return found

    @property
    def objects_left(self) -> dict[str, int]:
        """Our objects of exchanges, sessions and connections that are alive in the end."""
        return {kind: count for kind, count in self.alive_after["objects"].items() if kind in _OF_CONVERSATIONS}

    def as_json(self) -> dict[str, Any]:
        """As it is kept with the other results."""
        growth = {f"bytes_a_session_{whose}": round(each) for whose, each in zip(_WHOSE, self.growth, strict=True)}
        growth["bytes_a_session_more_between_outages"] = round(self.calm_growth)
        return {**about("soak"), **asdict(self), **growth}
