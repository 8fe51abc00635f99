"""The plan of a load process: which message is sent when, independent of the server's answers.

The same seed gives the same plan.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ailoop_otel.measure.client.message import Message
from ailoop_otel.measure.load.scenario import CONSTANT, Prompt, Scenario
from ailoop_otel.measure.results.observations import Phase


class Arrivals:
    """The planned times of one load process: its share of `rate` messages per second, from `start` on.

    `kind` is `constant` or `poisson`. The constant arrivals of all processes interleave at equal distances, and their
    Poisson arrivals add up to one Poisson process of the whole rate. `due` is the next planned time, in seconds of the
    clock of `start`; infinity where no more is planned.
    """

    def __init__(
        self, rate: float, kind: str, start: float, *, process: int = 0, processes: int = 1, seed: int = 1
    ) -> None:
        self._gap = processes / rate if rate > 0 else float("inf")
        self._constant = kind == CONSTANT
        self._start = start + (process / rate if rate > 0 else 0.0)
        self._count = 0
        # A text seed does not depend on the interpreter's hash seed.
        self._random = random.Random(f"{seed}/{process}/arrivals")
        self.due = self._start if self._constant else start + self._exponential()
        if rate <= 0:
            self.due = float("inf")

    def advance(self) -> None:
        """Go on to the next planned time."""
        self._count += 1
        if self._constant:
            # Computed from the start each time: a sum of gaps would accumulate rounding errors.
            self.due = self._start + self._count * self._gap
        else:
            self.due += self._exponential()

    def _exponential(self) -> float:
        return self._random.expovariate(1.0) * self._gap


class Choice:
    """Draws the next message at random, by weight."""

    def __init__(self, prompts: Sequence[Prompt], seed: int, process: int = 0) -> None:
        self._prompts = prompts
        self._weights = [each.weight for each in prompts]
        self._random = random.Random(f"{seed}/{process}/messages")

    def next(self) -> Prompt:
        """Draw a message."""
        return self._random.choices(self._prompts, self._weights)[0]


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


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a run with one rate: from the time `at` (`perf_counter`) on, `rate` messages per second in total.

    `most` bounds the number of messages of all processes; a rate of 0 plans no more messages.
    """

    number: int
    phase: Phase
    rate: float
    at: float
    most: int = 10_000_000


@dataclass(slots=True)
class PlannedMessage:
    """A message that is due, with its text, its segment and its number."""

    message: Message
    prompt: Prompt
    segment: Segment
    number: int
