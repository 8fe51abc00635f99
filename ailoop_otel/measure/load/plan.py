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
from typing import TypeVar

from ailoop_otel.measure.client.message import Message
from ailoop_otel.measure.load.scenario import CONSTANT, Prompt, UserKind
from ailoop_otel.measure.results.observations import Phase

Weighted = TypeVar("Weighted", Prompt, UserKind)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a run: from the time `at` (`perf_counter`) on, `rate` messages per second in total.

    Over `seconds` the rate changes evenly to `end_rate`, where that is given, and stays. `most` bounds the number of
    messages of all processes, with those of the segment before where it `goes_on`; a rate of 0 plans no more messages.
    None is due from the time `until` on, however late the campaign ends the segment.
    """

    number: int
    phase: Phase
    rate: float
    at: float
    most: int = 10_000_000
    end_rate: float | None = None
    seconds: float = 0.0
    goes_on: bool = False
    until: float = math.inf

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


def arrivals(segment: Segment, kind: str, *, process: int = 0, processes: int = 1, seed: int = 1) -> Iterator[float]:
    """The planned times of one load process, without end: its share of all messages of a segment.

    `kind` is `constant` or `poisson`. The constant arrivals of all processes interleave at equal distances, and their
    Poisson arrivals add up to one Poisson process of the whole rate. Times are seconds of the clock of the segment's
    `at`; infinity where no more is planned.

    They are those at which the messages expected so far reach the next number, which is whole for constant arrivals,
    and a sum of exponential ones for Poisson arrivals (inversion: Cinlar 1975, Introduction to Stochastic Processes).
    """
    # A text seed does not depend on the interpreter's hash seed.
    generator = random.Random(f"{seed}/{process}/arrivals")
    expected = 0.0
    for count in itertools.count():
        if kind == CONSTANT:
            expected = float(process + count * processes)
        else:
            expected += generator.expovariate(1.0) * processes
        due = segment.at + segment.seconds_until(expected)
        yield due if due < segment.until else math.inf


def drawn(things: Sequence[Weighted], seed: int, process: int = 0, of: str = "messages") -> Iterator[Weighted]:
    """Some of the things at random for ever, by their weight; `of` names the sequence of random numbers."""
    generator = random.Random(f"{seed}/{process}/{of}")
    weights = [each.weight for each in things]
    while True:
        yield generator.choices(things, weights)[0]


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
