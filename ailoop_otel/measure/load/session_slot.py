"""A place for one session after another, which a load process keeps open."""

from __future__ import annotations

import asyncio
from collections import deque

from ailoop_otel.measure.client.session import ClientSession
from ailoop_otel.measure.load.plan import PlannedMessage
from ailoop_otel.measure.load.scenario import UserKind


class SessionSlot:
    """Keeps one session open: another session replaces it after its last message, or when it is lost."""

    __slots__ = ("backlog", "closing", "session", "task", "user", "waiting", "wanted")

    def __init__(self, user: UserKind, backlog: deque[PlannedMessage]) -> None:
        self.user = user
        self.backlog = backlog
        self.wanted = True
        self.closing = False  # once its backlog is empty it is not wanted any more
        self.session: ClientSession | None = None
        self.waiting: asyncio.Future[PlannedMessage | None] | None = None
        self.task: asyncio.Task[None] | None = None

    def wake(self, planned: PlannedMessage | None = None) -> None:
        """Give the slot a message, or without one let it check what has changed."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(planned)

    async def wait(self) -> PlannedMessage | None:
        """Wait until it is woken; returns the message that it was given, None for a check of what has changed."""
        self.waiting = asyncio.get_running_loop().create_future()
        return await self.waiting

    async def think(self, seconds: float) -> bool:
        """Wait for the think time in seconds; returns whether it was woken before its end."""
        self.waiting = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait([self.waiting], timeout=seconds)
        self.waiting = None
        return bool(done)
