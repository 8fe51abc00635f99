"""One scenario against the stand-in as a separate process, and what its client saw of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.ailoop.client import Client, connected
from tests.ailoop.exchanges import Exchange
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider

CLIENT_TRACE = "c11e47" * 5 + "00"


@dataclass
class Told:
    """What a client saw: exchanges by what they were to show, sessions, and how many connections."""

    service: str
    exchanges: list[tuple[str, Exchange]] = field(default_factory=list)
    sessions: dict[str, int] = field(default_factory=dict)
    server_pid: int = 0

    def of(self, kind: str) -> list[Exchange]:
        """The exchanges of a kind."""
        return [exchange for each, exchange in self.exchanges if each == kind]

    def counts(self) -> Counter[str]:
        """How many there were of each kind."""
        return Counter(kind for kind, _ in self.exchanges)


def environment(endpoint: str, service: str, **more: str) -> dict[str, str]:
    """A server's environment: nothing else switches the instrumentation on."""
    return {
        "AILOOP_OTEL_ENABLED": "true",
        "AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_SERVICE_NAME": service,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        # The requests library takes these before OTEL_EXPORTER_OTLP_CERTIFICATE.
        "REQUESTS_CA_BUNDLE": "",
        "CURL_CA_BUNDLE": "",
        **more,
    }


def run(provider: Provider, variables: Mapping[str, str]) -> Told:
    """Serve, talk, stop the server by SIGTERM; returns what was said."""
    told = Told(variables["OTEL_SERVICE_NAME"])
    with serving(standin(STATELESS), provider.plain_environment() | dict(variables)) as server:
        told.server_pid = server.pid
        asyncio.run(_converse(server.port, told))
        provider.release()
        server.stop()
    return told


async def _converse(port: int, told: Told) -> None:
    await asyncio.gather(*(_session(port, told, script) for script in _SCRIPTS))


async def _session(port: int, told: Told, script: list[tuple[str, str]]) -> None:
    async with connected(port, STATELESS) as client:
        session = await client.start_session()
        for kind, message in script:
            await _say(client, told, kind, message)
        told.sessions[session] = len(script)
        if script[-1][0] != "left":
            await client.stop_session()


async def _say(client: Client, told: Told, kind: str, message: str) -> None:
    # As a client would that has a trace of its own.
    meta = {"traceparent": f"00-{CLIENT_TRACE}-{'1' * 16}-01"} if kind == "tool" else None
    if kind == "left":
        exchange = await client.send(message)
        await exchange.started()
        client.drop()
    else:
        exchange = await client.ask(message, meta=meta)
    told.exchanges.append((kind, exchange))


_LOOK = '[[tool name=list_directory arguments={"path": "."} delay=0.1]]'
_SCRIPTS: list[list[tuple[str, str]]] = [
    [("ok", f"turn {turn} [[say chunks={10 + turn} delay=0.1 gap=0.01]]") for turn in range(5)],
    [("tool", f"look {_LOOK} [[say chunks=6 delay=0.1 gap=0.02]]"), ("ok", "thanks [[say chunks=4 gap=0.01]]")],
    [("late", "think [[say chunks=6 delay=1.5 gap=0.02]]"), ("hidden", "please [[fail status=500]]")],
    [("timeout", "hurry [[fail status=500 delay=1.4]]")],
    [("cut", "tell me [[cut after=5 chunks=20 gap=0.02]]")],
    [("left", "a long one [[say chunks=60 gap=0.05]]")],
]
