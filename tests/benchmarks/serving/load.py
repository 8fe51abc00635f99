"""A client's load on a running server: messages one after the other, then from several clients at once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.ailoop.client import Client, connected
from tests.ailoop.exchanges import Exchange
from tests.ailoop.process import Server
from tests.benchmarks.environments import ROOT, plain_variables

CHUNKS = 100
MESSAGE = f"[[say chunks={CHUNKS}]]"


@dataclass(frozen=True)
class Window:
    """What one load on one server came to: CPU seconds and exchanges, those per second, each one's first text."""

    cpu: float
    exchanges: int
    rate: float
    first_texts: tuple[float, ...]
    whole: bool

    @property
    def cpu_each(self) -> float:
        """CPU of an exchange, seconds."""
        return self.cpu / self.exchanges


@contextmanager
def provider() -> Iterator[dict[str, Any]]:
    """The scripted AI in a process of its own; what it says of itself."""
    command = [sys.executable, "-m", "tests.ailoop.provider"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=plain_variables(), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def cpu_of(server: Server) -> float:
    """CPU seconds that the process used so far, those of threads that have ended included."""
    # The kernel's number of a process's CPU clock (clock_getcpuclockid(3)).
    return time.clock_gettime((~server.pid << 3) | 2)


def load(server: Server, alone: int, clients: int, each: int) -> Window:
    """`alone` exchanges one after the other, then `clients` that hold `each` at once."""
    return asyncio.run(_load(server, alone, clients, each))


async def _load(server: Server, alone: int, clients: int, each: int) -> Window:
    async with connected(server.port, server.dialect) as first:
        await first.start_session()
        others = [await first.another() for _ in range(clients)]
        for other in others:
            await other.start_session()
        before = cpu_of(server)
        quiet = await _hold(first, alone)
        began = time.perf_counter()
        crowded = [exchange for held in await asyncio.gather(*(_hold(o, each) for o in others)) for exchange in held]
        took = time.perf_counter() - began
        cpu = cpu_of(server) - before
        everything = [*quiet, *crowded]
        return Window(
            cpu,
            len(everything),
            len(crowded) / took if crowded else 0.0,
            tuple(exchange.seconds_to_first_text or 0.0 for exchange in quiet),
            all(is_whole(exchange) for exchange in everything),
        )


async def _hold(client: Client, number: int) -> list[Exchange]:
    exchanges = []
    for _ in range(number):
        exchange = await client.ask(MESSAGE)
        exchanges.append(exchange)
    return exchanges


def is_whole(exchange: Exchange) -> bool:
    """Whether all chunks came, and the reply holds their text."""
    updates = sum(frame.method == "StreamingUpdate" for frame in exchange.frames)
    result = (exchange.response or {}).get("result", {})
    # The last chunk comes twice, and the reply's text is stripped.
    return updates == CHUNKS + 1 and result.get("ai_response", "").strip() == exchange.text.strip()
