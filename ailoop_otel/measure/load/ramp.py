"""How many sessions a server bears: what each level came to, and which level is tried next. No clock, no processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ailoop_otel.measure.load.scenario import Ramp, StabilityCriteria
from ailoop_otel.measure.results.observations import OK
from ailoop_otel.measure.statistics.percentiles import percentile

FEWEST: Final = 20
"""Messages below which a level's p95 is no more than its slowest."""


@dataclass(slots=True)
class Level:
    """The messages planned in one stage."""

    planned: int = 0
    errors: int = 0
    ended: int = 0
    firsts: dict[int, float] = field(default_factory=dict)
    """Seconds to the first chunk, infinite for a failure."""
    _without: int = 0  # ended well without a chunk: a command

    def first(self, number: int, seconds: float) -> None:
        """A first chunk came."""
        self.firsts[number] = seconds

    def end(self, number: int, outcome: str, first: float | None) -> None:
        """A message ended."""
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
        """Messages whose first chunk has not come."""
        return self.planned - self._without - len(self.firsts)

    def first_chunk_p95(self) -> float:
        """The 95th percentile of the first chunk, what failed or still waits being infinitely slow; NaN for none."""
        values = [*self.firsts.values(), *[math.inf] * self.waiting]
        return percentile(np.sort(np.array(values, dtype=float)), 95)

    def instability(self, stable: StabilityCriteria, connected: int, sessions: int) -> str:
        """Why the level is not stable; empty when it is."""
        if connected < sessions:
            return f"{sessions - connected} of {sessions} sessions could not be kept open"
        if not self.planned:
            return ""
        errors = 1000 * self.errors / self.planned
        if errors > stable.errors:
            return f"{errors:.3g} errors per 1,000 messages, and {stable.errors:g} are allowed"
        p95 = self.first_chunk_p95()
        if math.isinf(p95):
            return f"the first chunk of more than one message in twenty did not come in {stable.first_chunk_p95:g} s"
        if p95 > stable.first_chunk_p95:
            return f"p95 of the first chunk was {p95:.3g} s, and {stable.first_chunk_p95:g} s are allowed"
        return ""


class Levels:
    """All levels of a run by the number of their stage, from what is told of single messages."""

    def __init__(self) -> None:
        self._levels: dict[int, Level] = {}
        self._stages: dict[int, int] = {}

    def __getitem__(self, stage: int) -> Level:
        return self._levels.setdefault(stage, Level())

    def take(self, events: Iterable[Sequence[Any]]) -> None:
        """Read `planned` with its stage, `first` with its seconds, `ended` with outcome and first chunk."""
        for kind, number, value in events:
            if kind == "planned":
                self._stages[number] = value
                self[value].planned += 1
            elif kind == "first":
                self[self._stages[number]].first(number, value)
            else:
                self[self._stages.pop(number)].end(number, *value)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The largest level that held (0 for none), why no more is claimed, and whether the server's limit was met."""

    sessions: int
    reason: str
    met: bool


def levels(ramp: Ramp) -> Iterator[int]:
    """The levels of a ramp, `most` the last."""
    yield from range(ramp.start, ramp.most, ramp.step)
    yield ramp.most


def search(ramp: Ramp, climb: Callable[[int], str], hold: Callable[[int], str]) -> SearchResult:
    """Find the largest stable level: climb until one is not, then hold the one before, or ones below if need be.

    `climb` and `hold` run a level and return why it is not stable, or nothing.
    """
    good: list[int] = []
    reason = ""
    for level in levels(ramp):
        trouble = climb(level)
        if trouble:
            reason = f"at {level} sessions {trouble}"
            break
        good.append(level)
    met = bool(reason)
    while good:
        level = good.pop()
        trouble = hold(level)
        if not trouble:
            return SearchResult(level, reason, met)
        met, reason = True, f"held at {level} sessions, {trouble}"
    return SearchResult(0, reason, met)
