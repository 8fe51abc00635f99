"""Two servers with the package in front of the two agents, whose clients talk all the time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from websockets.exceptions import WebSocketException

from tests.ailoop.client import connected
from tests.ailoop.process import STATELESS, Server, serving, standin
from tests.stack.backends import Jaeger
from tests.stack.flood import provider_process, shipped_environment

NAMES = ("ailoop-scale-server-1", "ailoop-scale-server-2")
_FAILS = "please [[fail status=500]]"
_PAUSE = 0.3  # seconds between two messages of a client


class Served:
    """The servers, and how many failed messages were answered by each."""

    def __init__(self, start: Sequence[tuple[str, Server]]) -> None:
        self.servers = dict(start)
        self.failed = dict.fromkeys(self.servers, 0)
        self.counts: list[dict[str, object]] = []
        self._ended = False
        self._clients = [threading.Thread(target=self._talk, args=(name,), daemon=True) for name in self.servers]

    def start(self) -> None:
        """Let the clients talk."""
        for client in self._clients:
            client.start()

    def kill(self) -> None:
        """Kill each server and start it again."""
        for server in self.servers.values():
            server.kill()
            server.start()

    def end(self) -> None:
        """Stop the clients."""
        self._ended = True
        for client in self._clients:
            client.join(30)

    def faults(self, query: str) -> list[str]:
        """Compare the failed messages with their traces in Jaeger."""
        told = []
        for name, failed in self.failed.items():
            found = Jaeger(query).search(
                name, limit=20_000, tags={"ailoop.exchange.outcome": "ai_error"}, lookback="6h"
            )
            self.counts.append({"server": name, "failed": failed, "traces": len(found)})
            # Those of the last export interval before its kill died with the server; one may have been under way.
            if len(found) < failed - 1 / _PAUSE * 2:
                told.append(f"{name}: {failed} failed messages, {len(found)} traces")
        return told

    def _talk(self, name: str) -> None:
        while not self._ended:
            # A server that is killed takes its connections with it.
            with suppress(OSError, RuntimeError, AssertionError, asyncio.TimeoutError, WebSocketException):
                asyncio.run(self._session(name))
            time.sleep(0.2)

    async def _session(self, name: str) -> None:
        async with connected(self.servers[name].port, STATELESS) as client:
            await client.start_session()
            for _ in range(20):
                await asyncio.wait_for(client.ask(_FAILS), 10)
                self.failed[name] += 1
                if self._ended:
                    break
                await asyncio.sleep(_PAUSE)
            await client.stop_session()


@contextmanager
def serving_both(agents: Sequence[str], folder: Path) -> Iterator[Served]:
    """Two stand-in servers, each with an agent; they are stopped at the end, and what they had is sent then."""
    with ExitStack() as stack:
        variables = stack.enter_context(provider_process("say chunks=3 gap=0.002"))
        started = []
        for name, agent in zip(NAMES, agents, strict=True):
            settings = {"AILOOP_OTEL_DIRECTORY": str(folder / name), "OTEL_BSP_SCHEDULE_DELAY": "1000"}
            environment = variables | shipped_environment(agent, name) | settings
            started.append((name, stack.enter_context(serving(standin(STATELESS), environment))))
        served = Served(started)
        served.start()
        yield served
        served.end()
