"""Servers that are switched on in some way, talked to, and read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import STATELESS, Installation, Server
from tests.serving.folder import SERVER, Folder, Span
from tests.switching.requests import get
from tests.switching.ways import Way

ROOT = Path(__file__).parent.parent.parent
UVICORN = (sys.executable, "-m", "uvicorn", "tests.switching.served:app", "--port")
PRELOADED = (sys.executable, "-m", "tests.switching.preloaded")
TWICE = (sys.executable, "-m", "tests.switching.twice.main")
MESSAGE = "sendUserMessage"
# One conversation: a session, one message, and the end of the socket.
CONVERSATION = [
    "SERVER sendUserMessage ok",
    "SERVER startSession",
    "ailoop.first_chunk",
    "ailoop.session",
    "ailoop.session.start",
    "ailoop.stream",
]
# As many servers start at once.
_AT_ONCE = 3


def make_server(
    way: Way, folder: Folder, *, command: tuple[str, ...] = UVICORN, arguments: Sequence[str] = (), **variables: str
) -> Server:
    """A server whose telemetry goes into a folder; not started yet."""
    added = {"STEPS": way.steps, "AILOOP_OTEL_DIRECTORY": str(folder.path), **way.variables, **variables}
    return Server(Installation(ROOT, STATELESS, command), added, arguments, way.wrapper)


@dataclass(frozen=True)
class Recorded:
    """What is in a folder: the spans of HTTP requests' traces, without sends and receives, and the others."""

    http: list[Span]
    chat: list[Span]

    @classmethod
    def of(cls, folder: Folder) -> Recorded:
        """What is there now."""
        spans = folder.spans()
        traces = {span.trace for span in spans if span.name.startswith("GET ")}
        parts = (" http receive", " http send")
        return cls(
            [span for span in spans if span.trace in traces and not span.name.endswith(parts)],
            [span for span in spans if span.trace not in traces],
        )

    @property
    def conversation(self) -> list[str]:
        """The spans that are not about HTTP, by kind, name and outcome."""
        return sorted(_summary(span) for span in self.chat)

    @property
    def requests(self) -> list[str]:
        """The names of HTTP requests' own spans, of whatever kind."""
        return [span.name for span in self.http if span.name.startswith("GET ")]


def _summary(span: Span) -> str:
    server = "SERVER " if span.kind == SERVER else ""
    return f"{server}{span.name} {span.attributes.get(names.OUTCOME, '')}".strip()


async def converse(port: int, messages: int = 1) -> int:
    """Hold a conversation; returns the process that answered."""
    async with connected(port) as client:
        reply = await client.call("startSession", {"userId": "tester"})
        client.session = reply["result"]["sessionId"]
        for _ in range(messages):
            exchange = await client.ask("what time is it?")
            assert exchange.text == "It is noon."
    return int(reply["result"]["pid"])


def pids_with_spans(folder: Folder) -> set[int]:
    """The processes that have written spans."""
    return {int(file.stem.split("-")[2]) for file in folder.path.glob("traces-*.jsonl")}


@asynccontextmanager
async def running(way: Way, folder: Folder, **options: Any) -> AsyncIterator[Server]:
    """A server while the context lasts, as `make_server` makes it."""
    server = make_server(way, folder, **options)
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def recorded(way: Way, path: Path, **options: Any) -> Recorded:
    """What one conversation and one HTTP request leave behind on a server that is switched on in this way."""
    folder = Folder(path)
    async with running(way, folder, **options) as server:
        await converse(server.port)
        await get(server.port, "/health")
    return Recorded.of(folder)


async def all_recorded(ways: Sequence[Way], path: Path, **options: Any) -> dict[str, Recorded]:
    """The same for each of some ways, by name."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, way: Way) -> Recorded:
        async with turns:
            return await recorded(way, path / str(number), **options)

    found = await asyncio.gather(*(one(number, way) for number, way in enumerate(ways)))
    return {way.name: each for way, each in zip(ways, found, strict=True)}
