"""The search for the largest stable number of sessions: the result of each level, and which level is tried next.

Nothing here reads a clock or starts a process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ailoop_otel.measure.load.scenario import AbortCriteria, Ramp, StabilityCriteria
from ailoop_otel.measure.results.observations import OK
from ailoop_otel.measure.statistics.percentiles import percentile

FEWEST: Final = 20
"""With fewer messages than this, a level's p95 is its slowest message."""


@dataclass(slots=True)
class Level:
    """Counts of the messages planned in one segment."""

    planned: int = 0
    errors: int = 0
    ended: int = 0
    firsts: dict[int, float] = field(default_factory=dict)
    """Seconds from the planned time to the first chunk by message number; infinity for a failure."""
    _without: int = 0  # succeeded without a chunk: a slash command

    def first(self, number: int, seconds: float) -> None:
        """Record the first chunk of a message."""
        self.firsts[number] = seconds

    def end(self, number: int, outcome: str, first: float | None) -> None:
        """Record the end of a message."""
        self.ended += 1
        if outcome != OK:
            self.errors += 1
            self.firsts[number] = math.inf
        elif first is None:
            self._without += 1
        else:
            self.firsts[number] = first

    @property
    def waiting(self) -> int:
        """How many messages have no first chunk yet."""
        return self.planned - self._without - len(self.firsts)

    def first_chunk_p95(self) -> float:
        """The 95th percentile of the first chunk in seconds; messages that failed or still wait count as infinity.

        NaN without messages.
        """
        values = [*self.firsts.values(), *[math.inf] * self.waiting]
        return percentile(np.sort(np.array(values, dtype=float)), 95)

    def instability(self, stable: StabilityCriteria, connected: int, sessions: int) -> str:
        """Why the level is not stable; empty when it is. `connected` of the level's `sessions` are connected."""
        if connected < sessions:
            return f"{sessions - connected} of {sessions} sessions could not be kept open"
        if not self.planned:
            return ""
        return passed(stable, 1000 * self.errors / self.planned, self.first_chunk_p95())


def passed(limits: StabilityCriteria | AbortCriteria, errors: float, first_chunk_p95: float, when: str = "") -> str:
    """Which limit the errors per 1,000 messages or the p95 of the first chunk (s) are beyond; empty if none is.

    `when` is put into the sentence: " over the last 10 s".
    """
    if limits.errors is not None and errors > limits.errors:
        return f"{errors:.3g} errors per 1,000 messages{when}, and {limits.errors:g} are allowed"
    allowed = limits.first_chunk_p95
    if allowed is None or not first_chunk_p95 > allowed:
        return ""
    if math.isinf(first_chunk_p95):
        return f"the first chunk of more than one message in twenty did not come in {allowed:g} s{when}"
    return f"p95 of the first chunk was {first_chunk_p95:.3g} s{when}, and {allowed:g} s are allowed"


class Levels:
    """All levels of a run by the number of their segment, computed from the events of single messages."""

    def __init__(self) -> None:
        self._levels: dict[int, Level] = {}
        self._segments: dict[int, int] = {}

    def __getitem__(self, segment: int) -> Level:
        return self._levels.setdefault(segment, Level())

    def take(self, events: Iterable[Sequence[Any]]) -> None:
        """Add events: `planned` with the segment, `first` with seconds, `ended` with outcome and first chunk."""
        for kind, number, value in events:
            if kind == "planned":
                self._segments[number] = value
                self[value].planned += 1
            elif kind == "first":
                self[self._segments[number]].first(number, value)
            else:
                self[self._segments.pop(number)].end(number, *value)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The largest level that stayed stable (0 for none), why no larger one is, and whether the limit was reached."""

    sessions: int
    reason: str
    met: bool


def levels(ramp: Ramp) -> Iterator[int]:
    """The levels of a ramp; the last is `most`."""
    yield from range(ramp.start, ramp.most, ramp.step)
    yield ramp.most


def search(ramp: Ramp, climb: Callable[[int], str], hold: Callable[[int], str]) -> SearchResult:
    """Find the largest stable level: climb until one is not stable, then hold the level before, or lower ones.

    `climb` and `hold` run a level and return why it is not stable, or an empty text.
    """
    good: list[int] = []
    reason = ""
    for level in levels(ramp):
        unstable = climb(level)
        if unstable:
            reason = f"at {level} sessions {unstable}"
            break
        good.append(level)
    met = bool(reason)
    while good:
        level = good.pop()
        unstable = hold(level)
        if not unstable:
            return SearchResult(level, reason, met)
        met, reason = True, f"held at {level} sessions, {unstable}"
    return SearchResult(0, reason, met)
