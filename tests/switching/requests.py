"""Plain HTTP requests to servers on this machine."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from typing import Any

from tests.ailoop.process import LOOPBACK


async def get(port: int, path: str) -> Any:
    """Make an HTTP request and return what the JSON says."""

    def request() -> Any:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            assert response.status == 200, (path, response.status)
            return json.loads(response.read())
        finally:
            connection.close()

    return await asyncio.to_thread(request)


async def answer(port: int, path: str, unlike: object = None, timeout: float = 10.0) -> Any:
    """What a server answers once it runs, or once it answers something else than before."""
    deadline = time.monotonic() + timeout
    while (found := await _get_or(unlike, port, path)) == unlike:
        assert time.monotonic() < deadline, f"port {port} answers {path} with {found} after {timeout:g} s"
        await asyncio.sleep(0.02)
    return found


async def _get_or(otherwise: object, port: int, path: str) -> Any:
    try:
        return await get(port, path)
    except (OSError, http.client.HTTPException):
        return otherwise
