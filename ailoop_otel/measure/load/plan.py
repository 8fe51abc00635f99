"""The plan of a load process: which message is sent when, independent of the server's answers.

The same seed gives the same plan.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ailoop_otel.measure.client.message import Message
from ailoop_otel.measure.load.scenario import CONSTANT, Prompt, Scenario, UserKind
from ailoop_otel.measure.results.observations import Phase

Weighted = TypeVar("Weighted", Prompt, UserKind)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a run: from the time `at` (`perf_counter`) on, `rate` messages per second in total.

    Over `seconds` the rate changes evenly to `end_rate`, where that is given, and stays. `most` bounds the number of
    messages of all processes, with those of the segment before where it `goes_on`; a rate of 0 plans no more messages.
    """

    number: int
    phase: Phase
    rate: float
    at: float
    most: int = 10_000_000
    end_rate: float | None = None
    seconds: float = 0.0
    goes_on: bool = False

    def seconds_until(self, messages: float) -> float:
        """The seconds from its begin until so many messages are expected; infinity for never."""
        end = self.rate if self.end_rate is None else self.end_rate
        left = messages - self.seconds * (self.rate + end) / 2
        if left > 0 or end == self.rate or not self.seconds:
            since, expected = (self.seconds, left) if end != self.rate else (0.0, messages)
            return since + expected / end if end else math.inf
        # The root of rate * t + (end - rate) / (2 * seconds) * t^2 = messages that loses no digits to a difference.
        root = math.sqrt(max(0.0, self.rate**2 + 2 * messages * (end - self.rate) / self.seconds))
        return 2 * messages / (self.rate + root) if messages else 0.0


class Arrivals:
    """The planned times of one load process: its share of all messages of a segment.

    `kind` is `constant` or `poisson`. The constant arrivals of all processes interleave at equal distances, and their
    Poisson arrivals add up to one Poisson process of the whole rate. `due` is the next planned time, in seconds of the
    clock of the segment's `at`; infinity where no more is planned.

    Times are those at which the messages expected so far reach the next number, which is whole for constant arrivals,
    and a sum of exponential ones for Poisson arrivals (inversion: Cinlar 1975, Introduction to Stochastic Processes).
    """

    def __init__(self, segment: Segment, kind: str, *, process: int = 0, processes: int = 1, seed: int = 1) -> None:
        self._segment = segment
        self._constant = kind == CONSTANT
        self._process, self._processes = process, processes
        # A text seed does not depend on the interpreter's hash seed.
        self._random = random.Random(f"{seed}/{process}/arrivals")
        self._count = -1
        self._expected = 0.0
        self.due = 0.0
        self.advance()

    def advance(self) -> None:
        """Go on to the next planned time."""
        self._count += 1
        if self._constant:
            self._expected = float(self._process + self._count * self._processes)
        else:
            self._expected += self._random.expovariate(1.0) * self._processes
        self.due = self._segment.at + self._segment.seconds_until(self._expected)


class Choice(Generic[Weighted]):
    """Draws one of several things at random, by weight; `of` names the sequence of random numbers."""

    def __init__(self, things: Sequence[Weighted], seed: int, process: int = 0, of: str = "messages") -> None:
        self._things: Sequence[Weighted] = things
        self._weights = [each.weight for each in things]
        self._random = random.Random(f"{seed}/{process}/{of}")

    def next(self) -> Weighted:
        """Draw a thing."""
        thing: Weighted = self._random.choices(self._things, self._weights)[0]
        return thing


def dealt(things: Sequence[Weighted]) -> Iterator[Weighted]:
    """The things by turns for ever, at each moment as near to their weights as whole numbers can be."""
    total, given = sum(each.weight for each in things), [0] * len(things)
    for turn in itertools.count(1):
        owed = [turn * each.weight / total - count for each, count in zip(things, given, strict=True)]
        place = owed.index(max(owed))
        given[place] += 1
        yield things[place]


def share(whole: int, process: int, processes: int) -> int:
    """The share of one process in `whole` things; the shares of all processes add up to `whole`."""
    return whole // processes + (process < whole % processes)


@dataclass(frozen=True, slots=True)
class Job:
    """The task of one load process; `origin` is the start of the run, in seconds of `time.perf_counter()`."""

    url: str
    scenario: Scenario
    process: int
    origin: float


@dataclass(slots=True)
class PlannedMessage:
    """A message that is due, with its text, the kind of its user, its segment and its number.

    `session` is the number of the session that sends it, -1 before; `over` is set when it has ended.
    """

    message: Message
    prompt: Prompt
    user: UserKind
    segment: Segment
    number: int
    session: int = -1
    first_reported: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
