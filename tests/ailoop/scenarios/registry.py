"""The register of conversations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..client import Client
from ..process import DELEGATES, STATELESS

Drive = Callable[[Client], Awaitable[object]]
UNKNOWN_SESSION = "11111111-2222-4333-8444-555555555555"


@dataclass(frozen=True)
class Scenario:
    """One conversation, and the dialects in which it makes sense."""

    name: str
    drive: Drive
    dialects: tuple[str, ...]


SCENARIOS: list[Scenario] = []


def scenario(*dialects: str) -> Callable[[Drive], Drive]:
    """Register a conversation under its function's name."""

    def register(drive: Drive) -> Drive:
        SCENARIOS.append(Scenario(drive.__name__, drive, dialects or (STATELESS, DELEGATES)))
        return drive

    return register


def conversation(name: str, *messages: str, dialects: tuple[str, ...] = ()) -> None:
    """Register a conversation that is nothing but a session and its messages, one after the other."""

    async def drive(client: Client) -> None:
        await client.start_session()
        for message in messages:
            await client.ask(message)

    drive.__name__ = name
    scenario(*dialects)(drive)
