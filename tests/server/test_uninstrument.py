"""Switching off while it serves: the conversation goes on and nothing more is recorded."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.exchanges import Exchange
from tests.serving.folder import Folder
from tests.switching.requests import get
from tests.switching.servers import CONVERSATION, Recorded, converse, running
from tests.switching.ways import CODE_AFTER, MIDDLEWARE, STARTUP_FILE, WRAPPER, Way, scripted

HAS_OWN_TELEMETRY = importlib.util.find_spec("fastapi.telemetry") is not None
HAS_CONFIGURATOR = importlib.util.find_spec("opentelemetry.distro") is not None
OURS = ("ailoop-otel", "Otel", "OTel")


@pytest.mark.parametrize("way", [STARTUP_FILE, CODE_AFTER, MIDDLEWARE], ids=lambda way: way.name)
async def test_the_server_answers_and_nothing_more_is_recorded(way: Way, tmp_path: Path) -> None:
    """What is open ends and is exported at once; then frames flow as before, no file grows and no thread is left."""
    folder = Folder(tmp_path)
    async with running(way, folder) as server, connected(server.port) as client:
        await client.start_session()
        before = await client.ask("hello")
        waiting = await client.send("wait")
        await waiting.started()
        await get(server.port, "/step/uninstrument")
        outcomes = [span.attributes[names.OUTCOME] for span in folder.spans("sendUserMessage")]
        assert outcomes == ["ok", "cancelled"]
        (session,) = folder.spans(names.SPAN_SESSION)
        assert session.attributes[names.SESSION_END_REASON] == "server_shutdown"
        recorded = folder.text()
        assert [name for name in await get(server.port, "/threads") if name.startswith(OURS)] == []

        async with connected(server.port) as other:
            await other.call("echo")
            await other.start_session()
            new = await other.ask("hello")
        await waiting.done()
        after = await client.ask("hello")
        assert frames(waiting) == frames(new) == frames(after) == frames(before)
    assert folder.text() == recorded


@pytest.mark.parametrize("way", [STARTUP_FILE, MIDDLEWARE], ids=lambda way: way.name)
async def test_switched_on_again_it_records_again(way: Way, tmp_path: Path) -> None:
    """Off and on, twice: each conversation while it is on is recorded, once."""
    folder = Folder(tmp_path)
    async with running(way, folder) as server:
        await converse(server.port)
        for _ in range(2):
            await get(server.port, "/step/uninstrument")
            await converse(server.port)
            await get(server.port, "/step/instrument")
            await converse(server.port)
        await get(server.port, "/health")
    # The requests that switch it are cut in two.
    found = [each for each in Recorded.of(folder).conversation if not each.startswith("fastapi.")]
    assert found == sorted(CONVERSATION * 3)
    # FastAPI's own telemetry keeps to the first global provider, which ended when it was switched off.
    assert HAS_OWN_TELEMETRY or Recorded.of(folder).requests[-1] == "GET /health"


async def test_a_socket_that_was_open_before_stays_unobserved(tmp_path: Path) -> None:
    """Of a connection that was let go nothing is taken up again, and it works."""
    folder = Folder(tmp_path)
    async with running(STARTUP_FILE, folder) as server, connected(server.port) as client:
        await client.start_session()
        await get(server.port, "/step/uninstrument")
        await get(server.port, "/step/instrument")
        await client.ask("hello")
        await converse(server.port)
    assert [span.attributes[names.OUTCOME] for span in folder.spans("sendUserMessage")] == ["ok"]


@pytest.mark.parametrize(
    "way",
    [
        STARTUP_FILE + scripted("provider fastapi app"),
        pytest.param(WRAPPER, marks=pytest.mark.skipif(not HAS_CONFIGURATOR, reason="the SDK is not set up by it")),
    ],
    ids=lambda way: way.name,
)
@pytest.mark.fault(
    "foreign",
    theirs="We are switched off under a provider of somebody else's",
    promise="It is emptied and left running",
)
async def test_a_provider_of_others_goes_on(way: Way, tmp_path: Path) -> None:
    """A provider that we did not make is emptied and left running: FastAPI's instrumentor goes on with it."""
    folder = Folder(tmp_path)
    async with running(way, folder, PROVIDER_DIRECTORY=str(tmp_path)) as server, connected(server.port) as client:
        await client.start_session()
        await client.ask("hello")
        await get(server.port, "/step/uninstrument")
        assert len(folder.spans("sendUserMessage")) == 1
        await client.ask("hello")
        await get(server.port, "/health")
        # Not SIGTERM: after that only we would have flushed.
        await asyncio.to_thread(server.stop, signal.SIGINT)
    assert len(folder.spans("sendUserMessage")) == 1
    assert Recorded.of(folder).requests[-1] == "GET /health"


def frames(exchange: Exchange) -> list[tuple[str | None, Any]]:
    """What is the same in every answer of the server."""
    return [(frame.method, frame.params.get("content")) for frame in exchange.frames]
