"""A server with something going on for every panel and alert, and what their expressions are made of."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from collector.stack import Stack
from tests.ailoop.client import Client, connected
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.demo.conversations import CONVERSATIONS, hold
from tests.stack.backends import Prometheus, eventually
from tests.stack.traffic import environment

WATCHED = "ailoop-watched"
_DEADLINES = {"AILOOP_OTEL_AI_TIMEOUT_STALL": "1"}


@contextmanager
def watched(stack: Stack, provider: Provider, metrics: Prometheus) -> Iterator[None]:
    """A server that still runs, after two rounds of all kinds of conversations that Prometheus has seen apart."""
    variables = environment(stack.places.otlp, WATCHED, **_DEADLINES)
    with serving(standin(STATELESS), provider.plain_environment() | variables) as server:
        for said in (1, 2):
            asyncio.run(_converse(server.port))
            ended = said * _EXCHANGES
            counted = f'sum(ailoop:exchanges:total{{job="{WATCHED}"}})'
            eventually(lambda counted=counted: metrics.value(counted), lambda value, ended=ended: value == ended, 60)
        # What is computed from these counts comes one evaluation later.
        eventually(lambda: metrics.value(f'sum(ailoop:errors:increase_5m{{job="{WATCHED}"}}) > 0'), bool)
        provider.release()
        yield


async def _converse(port: int) -> None:
    await asyncio.gather(*(hold(each, port) for each in CONVERSATIONS), _never_whole(port))


async def _never_whole(port: int) -> None:
    """A timeout that its client is told of, a tool that fails, a method that nobody knows."""
    async with connected(port, STATELESS) as client:
        await client.start_session()
        await client.ask("late and cut [[cut after=2 chunks=9 delay=1.3]]")
        await _fail(client)


async def _fail(client: Client) -> None:
    await client.ask('[[tool name=read_file arguments={"path": "/nowhere"}]] [[say]]')
    await client.call("nonsense")


# Of one round: three good ones, two of the hidden failure, one of the others, two of _never_whole.
_EXCHANGES = len(CONVERSATIONS) + 2 + 1 + 2

_WORDS = {"and", "or", "unless", "offset", "on", "by", "bool"}
_CLAUSE = re.compile(r"\b(by|on|without|group_left|ignoring)\s*\([^)]*\)|\[[^]]*\]|offset \w+|\"(?:[^\"\\]|\\.)*\"(?![^{]*})")
_SELECTOR = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?!\s*\(|[\w:])")


def selectors(expression: str) -> set[str]:
    """The series that an expression selects: each metric with its matchers."""
    bare = _CLAUSE.sub(" ", expression)
    return {name + (matchers or "") for name, matchers in _SELECTOR.findall(bare) if name not in _WORDS}


with suppress(ImportError):
    pass
