"""Tools called by the Model Context Protocol."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import wrapt
from opentelemetry.trace import SpanKind, get_current_span

from ailoop_otel import names
from ailoop_otel.server.hooks import HookContext
from ailoop_otel.server.mcp import called_hook
from ailoop_otel.tracking.sessions import Ledger
from ailoop_otel.wire.calls import remote_span
from tests.ailoop.client import connected
from tests.ailoop.process import Installation, free_port
from tests.recorder import Recording
from tests.serving.conftest import PYTHON, Serve
from tests.serving.folder import SERVER, Folder

CLIENT_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{CLIENT_TRACE}-00f067aa0ba902b7-01"
CALLER = Path(__file__).with_name("mcp_caller.py")


async def call(port: int, *calls: tuple[str, dict[str, Any]]) -> list[str]:
    """What the server's tools answer to an MCP client."""
    command = [PYTHON, str(CALLER), f"http://127.0.0.1:{port}/sse", TRACEPARENT, json.dumps(calls)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    texts: list[str] = json.loads(done.stdout.splitlines()[-1])
    return texts


class Here:
    """A process with hooks inside, and what they recorded."""

    def __init__(self) -> None:
        self.recording = Recording()
        self.guard = self.recording.guard
        self._hooks = HookContext(self.recording.telemetry, frozenset(), Ledger(self.recording.telemetry), remote_span)

    def hook_context(self) -> HookContext:
        """As a `HookHost`."""
        return self._hooks


class Client:
    """As the server's MCP client: it knows its tools, and returns what the other server says."""

    def __init__(self) -> None:
        self.tools = {"search": object(), "broken": object()}

    async def call_tool(self, name: str, arguments: Any = None) -> dict[str, Any]:
        """Call one."""
        if name not in self.tools:
            raise KeyError(name)
        return {"content": [], "isError": name == "broken"}


async def test_a_call_of_another_servers_tool_is_a_client_span() -> None:
    """Failed where the result says so, or where there is no such tool, whose name is nobody's business."""
    here = Here()
    client = Client()
    call = wrapt.FunctionWrapper(client.call_tool, called_hook(here))
    assert await call("search") == {"content": [], "isError": False}
    await call("broken", arguments={"a": "secret"})
    with pytest.raises(KeyError):
        await call(name="a secret")
    good, broken, unknown = here.recording.spans()
    assert [span.name for span in (good, broken, unknown)] == [
        "tools/call search", "tools/call broken", "tools/call _OTHER",
    ]  # fmt: skip
    assert {span.kind for span in (good, broken, unknown)} == {SpanKind.CLIENT}
    errors = [(span.attributes or {}).get(names.ERROR_TYPE) for span in (good, broken, unknown)]
    assert errors == [None, "tool_error", "unknown_tool"]
    assert here.recording.total(names.METRIC_MCP_CLIENT.name) == 3
    assert not get_current_span().get_span_context().is_valid


@pytest.mark.timeout(120)
async def test_a_tool_called_from_outside_is_a_trace_of_its_own(
    stateless: Installation, serve: Serve, folder: Folder, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """One SERVER span for each call, linked to the client's; a failure that is answered as text is one."""
    if not request.node.get_closest_marker("real_ailoop"):
        pytest.skip("the stand-in's MCP server has no tools")
    (tmp_path / "there").mkdir()
    server = serve(stateless, OTEL_METRIC_EXPORT_INTERVAL="300")
    port = free_port()
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        tools = ["list_directory", "read_file"]
        started = await client.call(
            "mcp.start", {"port": port, "transport": "sse", "exposed_tools": tools, "workspace": str(tmp_path)}
        )
        assert started["result"]["success"], started
        texts = await call(
            port,
            ("list_directory", {"kwargs": {"path": "."}}),
            ("read_file", {"kwargs": {"path": "a secret that is not there"}}),
            ("no_such_tool", {}),
        )
        spans = folder.wait(
            lambda folder: found if len(found := [s for s in folder.spans() if names.SPAN_MCP in s.name]) >= 3 else None
        )
    assert len(texts) == 3
    good, bad, unknown = spans
    assert [span.name for span in spans] == ["tools/call list_directory", "tools/call read_file", "tools/call _OTHER"]
    assert {span.kind for span in spans} == {SERVER}
    assert {span.parent for span in spans} == {""}
    assert len({span.trace for span in spans}) == 3
    assert {span.attributes[names.CLIENT_TRACE_ID] for span in spans} == {CLIENT_TRACE}
    assert good.attributes[names.MCP_METHOD] == names.SPAN_MCP
    assert good.attributes[names.GEN_AI_OPERATION] == names.SPAN_TOOL
    assert int(good.attributes[names.JSONRPC_ID]) > 0
    assert bad.error
    assert bad.attributes[names.ERROR_TYPE] == "tool_error"
    assert unknown.error
    assert unknown.attributes[names.ERROR_TYPE] == "unknown_tool"
    assert not [span for span in folder.spans() if span.name.startswith(names.SPAN_TOOL)]
    assert "a secret" not in folder.text()
