"""When messages are to be sent, and which: known before the server's answers, and the same for the same seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from ailoop_otel.measure.client.message import Message
from ailoop_otel.measure.client.session import ClientSession
from ailoop_otel.measure.load.scenario import CONSTANT, Prompt, Scenario
from ailoop_otel.measure.results.observations import Phase


class Arrivals:
    """Planned times of one load process: its share of `rate` messages a second, from `start` on.

    The processes' constant arrivals interleave to one even row, and their Poisson arrivals add up to one process of
    the whole rate. `due` is the next planned time, in the clock of `start`; infinite where nothing is planned.
    """

    def __init__(
        self, rate: float, kind: str, start: float, *, process: int = 0, processes: int = 1, seed: int = 1
    ) -> None:
        self._gap = processes / rate if rate > 0 else float("inf")
        self._constant = kind == CONSTANT
        self._start = start + (process / rate if rate > 0 else 0.0)
        self._count = 0
        # Text seeds do not depend on the hash of this interpreter.
        self._random = random.Random(f"{seed}/{process}/arrivals")
        self.due = self._start if self._constant else start + self._exponential()
        if rate <= 0:
            self.due = float("inf")

    def advance(self) -> None:
        """The message due was sent: on to the next."""
        self._count += 1
        if self._constant:
            # From the start each time: sums of gaps would drift.
            self.due = self._start + self._count * self._gap
        else:
            self.due += self._exponential()

    def _exponential(self) -> float:
        return self._random.expovariate(1.0) * self._gap


class Choice:
    """Which message comes next, by weight."""

    def __init__(self, prompts: Sequence[Prompt], seed: int, process: int = 0) -> None:
        self._prompts = prompts
        self._weights = [each.weight for each in prompts]
        self._random = random.Random(f"{seed}/{process}/messages")

    def next(self) -> Prompt:
        """Draw one."""
        return self._random.choices(self._prompts, self._weights)[0]


def share(whole: int, process: int, processes: int) -> int:
    """How many of so many things one process has, so that all have as many as there are."""
    return whole // processes + (process < whole % processes)


@dataclass(frozen=True, slots=True)
class Job:
    """What one load process is to do; `origin` is the moment at which the run began (`perf_counter`)."""

    url: str
    scenario: Scenario
    process: int
    origin: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a run: messages a second over all processes from a moment on; 0 plans nothing more."""

    number: int
    phase: Phase
    rate: float
    at: float
    most: int = 10_000_000


@dataclass(slots=True)
class PlannedMessage:
    """A message that is due: what it says, and where it belongs."""

    message: Message
    prompt: Prompt
    stage: Segment
    number: int


class SessionSlot:
    """A place for one session, filled again when the session is used up or lost."""

    __slots__ = ("session", "task", "waiting", "wanted")

    def __init__(self) -> None:
        self.wanted = True
        self.session: ClientSession | None = None
        self.waiting: asyncio.Future[PlannedMessage | None] | None = None
        self.task: asyncio.Task[None] | None = None

    def wake(self, planned: PlannedMessage | None = None) -> None:
        """Give it a message, or let it see that something has changed."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(planned)
