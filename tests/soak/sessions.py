"""The sessions of a soak: what they say, how they end, and when each begins."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

from tests.ailoop.client import Client, connected
from tests.ailoop.process import Server

TURNS = 5
THINK = 0.5  # seconds from an answer to the next message
# Of a hundred messages so many: answers, tools, failures, answers that break off, and silences beyond the deadlines.
MESSAGES = {
    "x [[say chunks=10 gap=0.005]]": 60,
    'x [[tool name=list_directory arguments={"path": "."}]] [[say chunks=5]]': 12,
    "x [[fail status=500]]": 5,
    "x [[fail status=429]]": 3,
    "x [[cut after=2]]": 4,
    "x [[garbage]]": 2,
    "x [[error code=502]]": 2,
    "x [[empty]]": 2,
    "x [[say delay=1.5 chunks=3]]": 5,
    "x [[say chunks=4 after=2 pause=1.5]]": 3,
    "x [[hang]]": 2,
}
LEAVE = "x [[say chunks=40 gap=0.05]]"
STOP, CLOSE, DROP = "stop", "close", "drop"
ENDS = {STOP: 60, CLOSE: 25, DROP: 15}
# What a session takes at most; the provider lets go of what hangs every few seconds.
PATIENCE = 60.0


async def hold(server: Server, sessions: int, seconds: float, seed: int) -> Counter[str]:
    """Hold so many sessions, begun evenly over some seconds; return how many messages and ends of each kind there were.

    The same seed gives the same sessions.
    """
    counts: Counter[str] = Counter()
    begun = time.monotonic()

    async def session(number: int) -> None:
        await asyncio.sleep(max(0.0, begun + number * seconds / sessions - time.monotonic()))
        async with connected(server.port, server.dialect) as client:
            await _session(client, random.Random(f"{seed}/{number}"), counts)

    await asyncio.gather(*(session(number) for number in range(sessions)))
    return counts


async def _session(client: Client, draw: random.Random, counts: Counter[str]) -> None:
    await client.start_session()
    end = draw.choices(list(ENDS), list(ENDS.values()))[0]
    for _ in range(TURNS - (end == DROP)):
        (text,) = draw.choices(list(MESSAGES), list(MESSAGES.values()))
        await client.ask(text, timeout=PATIENCE)
        counts["messages"] += 1
        await asyncio.sleep(THINK * (0.5 + draw.random()))
    if end == STOP:
        await client.stop_session()
    if end == DROP:
        exchange = await client.send(LEAVE)
        await exchange.started()
        counts["messages"] += 1
        client.drop()
    counts["sessions"] += 1
    counts[end] += 1
