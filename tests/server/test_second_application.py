"""AILoop's MCP server: a second application, in a thread of the same process."""

from __future__ import annotations

from pathlib import Path

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import free_port
from tests.serving.folder import Folder
from tests.switching.requests import answer, get
from tests.switching.servers import Recorded, running
from tests.switching.ways import STARTUP_FILE


@pytest.mark.fault(
    "foreign",
    theirs="A second application in the process ends first",
    promise="The first one's telemetry goes on",
)
async def test_its_life_and_its_requests_are_its_own(tmp_path: Path) -> None:
    """It starts, answers and stops in the middle of an exchange, and leaves nothing in the telemetry."""
    folder = Folder(tmp_path)
    port = free_port()
    async with running(STARTUP_FILE, folder, SECOND_PORT=str(port)) as server, connected(server.port) as client:
        await client.start_session()
        exchange = await client.send("wait")
        await exchange.started()
        await get(server.port, "/aside/second")
        assert await answer(port, "/second") == "second"
        await get(server.port, "/aside/second_stop")
        assert not exchange.completed
        async with connected(server.port) as other:
            await other.call("echo")
        await exchange.done()
        await client.ask("and now?")
        folder.exchanges(2)
        assert not folder.events(names.EVENT_SERVER_STOP)
    assert [span.attributes[names.OUTCOME] for span in folder.spans("sendUserMessage")] == ["ok", "ok"]
    assert len(folder.events(names.EVENT_SERVER_START)) == len(folder.events(names.EVENT_SERVER_STOP)) == 1
    assert [name.startswith("GET /aside/") for name in Recorded.of(folder).requests] == [True, True]
