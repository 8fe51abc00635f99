"""What a load process is told, and what it keeps of each message and each session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ailoop_otel.measure.client.message import Message
from ailoop_otel.measure.client.session import Session
from ailoop_otel.measure.load.scenario import Prompt, Scenario
from ailoop_otel.measure.results.observations import Phase


@dataclass(frozen=True, slots=True)
class Job:
    """What one load process is to do; `origin` is the moment at which the run began (`perf_counter`)."""

    url: str
    scenario: Scenario
    process: int
    origin: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a run: messages a second over all processes from a moment on; 0 plans nothing more."""

    number: int
    phase: Phase
    rate: float
    at: float
    most: int = 10_000_000


@dataclass(slots=True)
class Planned:
    """A message that is due: what it says, and where it belongs."""

    message: Message
    prompt: Prompt
    stage: Stage
    number: int


class Seat:
    """A place for one session, filled again when the session is used up or lost."""

    __slots__ = ("session", "task", "waiting", "wanted")

    def __init__(self) -> None:
        self.wanted = True
        self.session: Session | None = None
        self.waiting: asyncio.Future[Planned | None] | None = None
        self.task: asyncio.Task[None] | None = None

    def wake(self, planned: Planned | None = None) -> None:
        """Give it a message, or let it see that something has changed."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(planned)
