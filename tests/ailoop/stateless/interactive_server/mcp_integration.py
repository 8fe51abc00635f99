"""The second server in the same process: another ASGI app, in a thread with an event loop of its own."""

import asyncio
import logging
import threading
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

logger = logging.getLogger(__name__)


class MCPServerManager:
    """Starts the MCP server; stopping leaves its listener up until the process ends."""

    def __init__(self) -> None:
        self.is_running = False
        self._port = 0

    async def start_mcp_server(self, config: dict[str, Any]) -> dict[str, Any]:
        """Start it on its own port."""
        if self.is_running:
            return {"success": False, "message": "MCP server is already running"}
        self._port = config.get("port", 8002)
        threading.Thread(target=self._run_fastmcp_sync, name="asyncio_0", daemon=True).start()
        self.is_running = True
        await asyncio.sleep(0.2)
        url = f"http://localhost:{self._port}/sse"
        return {"success": True, "message": "MCP server started on sse transport", "server_url": url}

    async def stop_mcp_server(self) -> dict[str, Any]:
        """Say that it stopped."""
        if not self.is_running:
            return {"success": False, "message": "MCP server is not running"}
        self.is_running = False
        return {"success": True, "message": "MCP server stopped"}

    def get_status(self) -> dict[str, Any]:
        """Say whether it runs; while it does, this fails as the real one does."""
        if not self.is_running:
            return {"running": False, "message": "MCP server is not running"}
        raise AttributeError("'MCPServerManager' object has no attribute 'runner'")

    def _run_fastmcp_sync(self) -> None:
        app = Starlette(routes=[Route("/sse", _status)])
        uvicorn.run(app, host="127.0.0.1", port=self._port, log_level="warning")


async def _status(request: Request) -> JSONResponse:
    return JSONResponse({"server": "aiwhisperer-interactive"})


_manager = MCPServerManager()


def get_mcp_manager() -> MCPServerManager:
    """Return the one of this process."""
    return _manager


async def mcp_start_handler(params: Any, websocket: Any = None) -> Any:
    """Start the MCP server."""
    return await get_mcp_manager().start_mcp_server(params)


async def mcp_stop_handler(params: Any, websocket: Any = None) -> Any:
    """Stop the MCP server."""
    return await get_mcp_manager().stop_mcp_server()


async def mcp_status_handler(params: Any, websocket: Any = None) -> Any:
    """Say how the MCP server is."""
    return get_mcp_manager().get_status()


MCP_HANDLERS = {
    "mcp.start": mcp_start_handler,
    "mcp.stop": mcp_stop_handler,
    "mcp.status": mcp_status_handler,
}
