"""Servers that end, in good order or not, and what is in the files then."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import Installation
from tests.reliability.balance import Balance
from tests.serving.conftest import Serve
from tests.serving.folder import Folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.fault(
    "process",
    theirs="The server is stopped by SIGINT or SIGTERM",
    promise="All messages are in the files; sessions end as `server_shutdown`",
)
async def test_a_stop_loses_nothing(
    installation: Installation, serve: Serve, folder: Folder, balance: Balance, number: int
) -> None:
    """What has just ended is in the files, and the sessions end as `server_shutdown`."""
    server = serve(installation, OTEL_BSP_SCHEDULE_DELAY="60000", OTEL_BLRP_SCHEDULE_DELAY="60000")
    async with connected(server.port, server.dialect) as client:
        session = await client.start_session()
        for _ in range(3):
            await client.ask("x [[say chunks=2]]")
        assert folder.spans() == []
        begun = time.monotonic()
        await asyncio.to_thread(server.stop, number, 60)
        assert time.monotonic() - begun < 50
    roots = folder.spans("sendUserMessage")
    balance("messages", made=3, kept=len(roots))
    assert [root.attributes[names.OUTCOME] for root in roots] == ["ok"] * 3
    (whole,) = folder.spans(names.SPAN_SESSION)
    assert whole.attributes[names.SESSION_ID] == session
    assert whole.attributes[names.SESSION_END_REASON] == "server_shutdown"
    assert whole.attributes[names.SESSION_TURNS] == 3
    assert len(folder.events(names.EVENT_SESSION_END)) == 1
    assert len(folder.events(names.EVENT_SERVER_STOP)) == 1
    assert folder.points(names.METRIC_EXCHANGE_DURATION.name)[0]["count"] == "3"


@pytest.mark.fault(
    "process",
    theirs="The server is stopped in the middle of an answer",
    promise="Its message has its span and its outcome",
)
async def test_a_stop_in_mid_answer(installation: Installation, serve: Serve, folder: Folder) -> None:
    """The earlier generation drops the answer: `cancelled`. The current one runs it to its end, unheard."""
    server = serve(installation)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.send("x [[say chunks=30 gap=0.05]]")
        await exchange.started()
        await asyncio.to_thread(server.stop, signal.SIGTERM)
    (root,) = folder.spans("sendUserMessage")
    (whole,) = folder.spans(names.SPAN_SESSION)
    assert root.attributes[names.STREAM_CHUNKS] >= 1
    assert len(folder.spans(names.SPAN_FIRST_CHUNK)) == 1
    if server.dialect == "stateless":
        # uvicorn has closed the socket: each send fails as if the client had left.
        assert root.attributes[names.OUTCOME] == "disconnected"
        assert root.attributes[names.ABANDONED_TIME] > 1
        assert root.duration > 1.4
    else:
        assert root.attributes[names.OUTCOME] == "cancelled"
        assert whole.attributes[names.SESSION_END_REASON] == "server_shutdown"


@pytest.mark.fault(
    "process",
    theirs="The server is killed by `kill -9`",
    promise="What ended before the last export interval is in the files",
)
async def test_a_kill_loses_only_the_last_interval(installation: Installation, serve: Serve, folder: Folder) -> None:
    """Each exchange that ended and each session that started is in the files as soon as an interval is over."""
    server = serve(installation)
    async with connected(server.port, server.dialect) as client:
        session = await client.start_session()
        await client.ask("x [[say chunks=2]]")
        await asyncio.to_thread(folder.exchanges, 1)
        await asyncio.to_thread(folder.wait, lambda folder: folder.events(names.EVENT_SESSION_START))
        await client.send("x [[hang]]")
        server.kill()
    (root,) = folder.spans("sendUserMessage")
    assert root.attributes[names.OUTCOME] == "ok"
    (start,) = folder.spans(names.SPAN_SESSION_START)
    assert start.attributes[names.SESSION_ID] == session
    assert len(folder.events(names.EVENT_SESSION_START)) == 1
