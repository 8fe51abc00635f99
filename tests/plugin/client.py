"""A client of Parley that knows nothing of ailoop-otel: what it sees is what the telemetry is held against."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect


@dataclass
class Seen:
    """One message and its answer; times are `time.perf_counter()`."""

    sent: float
    pieces: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    ended: float = 0.0

    @property
    def first(self) -> float:
        """Seconds to the first piece."""
        return self.at[0] - self.sent

    @property
    def completion(self) -> float:
        """Seconds to the end."""
        return self.ended - self.sent


class Client:
    """One connection with one conversation."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.conversation = ""

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and wait for its reply; notifications that come before are not looked at."""
        await self._send(method, params)
        while True:
            frame = await self._frame()
            if frame.get("id") == self._number:
                return frame

    async def open(self) -> str:
        """Open a conversation."""
        reply = await self.call("chat.open", user="tester")
        self.conversation = reply["result"]["conversation"]
        return self.conversation

    async def ask(self, prompt: str) -> Seen:
        """Send a message and wait for the end of its answer."""
        seen = Seen(time.perf_counter())
        await self._send("chat.ask", {"conversation": self.conversation, "prompt": prompt})
        while not seen.ended:
            frame = await self._frame()
            now = time.perf_counter()
            if frame.get("method") == "chat.delta":
                seen.pieces.append(frame["params"]["text"])
                seen.at.append(now)
            elif frame.get("method") in ("chat.done", "chat.failed") or "error" in frame:
                seen.ended = now
        return seen

    async def start(self, prompt: str) -> None:
        """Send a message and wait until it is accepted only."""
        await self.call("chat.ask", conversation=self.conversation, prompt=prompt)

    async def _send(self, method: str, params: dict[str, Any]) -> None:
        self._number += 1
        await self._socket.send(json.dumps({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}))

    async def _frame(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await asyncio.wait_for(self._socket.recv(), 20))
        return frame


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    """A connection with a conversation."""
    async with connect(f"ws://127.0.0.1:{port}/parley") as socket:
        client = Client(socket)
        await client.open()
        yield client
