"""Levels of the load, and the search for the largest one that is stable: which level is tried next.

Nothing here reads a clock or starts a process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from ailoop_otel.measure.load.level import Followed, Level
from ailoop_otel.measure.load.scenario import RATE, Ramp

FEWEST: Final = 20
"""With fewer messages than this, a level's p95 is its slowest message."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The largest level that stayed stable (0 for none), why no larger one is, and whether the limit was reached.

    `own` is why the load generator could put on no more; then the limit is not the server's.
    """

    load: float
    reason: str
    met: bool
    own: str = ""


def levels(ramp: Ramp) -> Iterator[float]:
    """The levels of a ramp; without a list of them, the last is `most`."""
    if ramp.levels:
        yield from sorted(ramp.levels)
        return
    yield from range(ramp.start, ramp.most, ramp.step)
    yield ramp.most


def load_text(ramp: Ramp, load: float) -> str:
    """A level in words: `20 sessions`, `2.5 messages/s`."""
    return f"{load:g} messages/s" if ramp.of == RATE else f"{load:g} sessions"


def needed_sessions(rate: float, answers: Iterable[Followed]) -> int:
    """How many sessions are needed for messages at a rate, if they take as long as the given ones; 0 without any.

    As many messages are under way as the rate times their mean duration, Poisson-distributed (M/G/infinity queue:
    Cinlar 1975, Introduction to Stochastic Processes); three standard deviations more are enough.
    """
    took = [each.took - (each.sent or 0.0) for each in answers if each.took is not None]
    mean = rate * fmean(took) if took else 0.0
    return math.ceil(mean + 3 * math.sqrt(mean))


def search(ramp: Ramp, climb: Callable[[float], Level], hold: Callable[[float], Level]) -> SearchResult:
    """Find the largest stable level: climb until one is not stable, then hold the level before, or lower ones.

    `climb` and `hold` run a level and judge it.
    """
    good: list[float] = []
    reason = own = ""
    for load in levels(ramp):
        level = climb(load)
        if level.reason or level.own:
            reason, own = f"at {load_text(ramp, load)} {level.reason or level.own}", level.own
            break
        good.append(load)
    met = bool(reason)
    while good:
        load = good.pop()
        level = hold(load)
        if not (level.reason or level.own):
            return SearchResult(load, reason, met, own)
        met, reason = True, f"held at {load_text(ramp, load)}, {level.reason or level.own}"
        own = own or level.own
    return SearchResult(0, reason, met, own)
