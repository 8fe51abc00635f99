"""Two servers to look at, one busy and one with a single message, and what expressions are made of."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from collector.stack import Stack
from tests.ailoop.client import connected
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.stack.backends import Prometheus, eventually
from tests.stack.traffic import environment

WATCHED = "ailoop-watched"
NEWCOMER = "ailoop-newcomer"
ROUNDS = 2
MESSAGES = (
    "a good answer [[say chunks=12 delay=0.1 gap=0.02]]",
    'a tool [[tool name=list_directory arguments={"path": "."}]] [[say chunks=6 delay=0.1 gap=0.02]]',
    'a tool that fails [[tool name=read_file arguments={"path": "/nowhere"}]] [[say]]',
    "a late first chunk [[say chunks=6 delay=1.4 gap=0.02]]",
    "a stall [[say chunks=9 gap=0.05 after=4 pause=1.4]]",
    "a hidden failure [[fail status=500]]",
    "half an answer [[cut after=5 chunks=20 gap=0.02]]",
    "a late half [[cut after=2 chunks=9 delay=1.3]]",
)


@contextmanager
def watched(stack: Stack, provider: Provider, metrics: Prometheus) -> Iterator[None]:
    """A server that runs on, after rounds of messages that Prometheus has seen one by one."""
    variables = environment(stack.ports.otlp, WATCHED, AILOOP_OTEL_AI_TIMEOUT_STALL="1")
    with serving(standin(STATELESS), provider.plain_environment() | variables) as server:
        for number in range(ROUNDS):
            asyncio.run(_converse(server.port))
            wanted = (number + 1) * len(MESSAGES)
            counted = f'sum(ailoop_exchange_duration_seconds_count{{job="{WATCHED}"}}) == {wanted}'
            eventually(lambda counted=counted: metrics.value(counted))
        # They count from zero some seconds later, and what is computed from that another evaluation later.
        known = f'sum(ailoop:errors:per_1000_5m{{job="{WATCHED}"}}) > 0 and on () ALERTS{{job="{WATCHED}"}}'
        eventually(lambda: metrics.value(known))
        yield


@dataclass(frozen=True)
class First:
    """A service's first message: when it was said (s since the epoch), and how long it took (s)."""

    said: float
    took: float


@contextmanager
def first(stack: Stack, provider: Provider) -> Iterator[First]:
    """A server with the intervals of the shipped ailoop.env that was never heard of before, and has had one message."""
    shipped = {"OTEL_BSP_SCHEDULE_DELAY": "1000", "OTEL_METRIC_EXPORT_INTERVAL": "10000"}
    variables = provider.plain_environment() | environment(stack.ports.otlp, NEWCOMER, **shipped)
    with serving(standin(STATELESS), variables) as server:
        said = time.time()
        yield First(said, asyncio.run(_greet(server.port)))


async def _greet(port: int) -> float:
    """One message in a session of its own; returns how long its answer took, in seconds."""
    async with connected(port, STATELESS) as client:
        await client.start_session()
        return (await client.ask("hello [[say chunks=6 delay=0.3 gap=0.01]]")).seconds


async def _converse(port: int) -> None:
    await asyncio.gather(*(_talk(port, message, stop=index % 2 == 0) for index, message in enumerate(MESSAGES)))


async def _talk(port: int, message: str, *, stop: bool) -> None:
    """One message in a session of its own, which is stopped or retained, and a method that nobody knows."""
    async with connected(port, STATELESS) as client:
        await client.start_session()
        await client.ask(message)
        await client.call("nonsense")
        if stop:
            await client.stop_session()


_OPERATORS = {"and", "or", "unless", "offset", "bool"}
_NO_SERIES = re.compile(r"\b(?:by|on|without|ignoring|group_left)\s*\([^)]*\)|\[[^]]*\]|\boffset \w+")
_SERIES = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?!\s*\(|[\w:])")


def selectors(expression: str) -> set[str]:
    """The series that an expression selects: each metric with its matchers."""
    found = _SERIES.findall(_NO_SERIES.sub(" ", expression))
    return {name + matchers for name, matchers in found if name not in _OPERATORS}
