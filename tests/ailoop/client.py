"""A WebSocket client for all stand-ins that stamps every frame with this side's clocks.

    async with connected(server.port, server.dialect) as client:
        session = await client.start_session()
        exchange = await client.ask("hello [[say chunks=5]]")   sent, and awaited to its completion
        exchange = await client.send("hello")                   sent; later: await exchange.done(timeout)
        exchange.sent, .first_text, .completion, .frames, .response, .text, .seconds_to_first_text, .seconds
        reply = await client.call("echo", {"message": "hi"})    the whole JSON-RPC reply, error or not
        await client.raw("{broken")                             any text or bytes
        await client.frame(3)                                   the third frame of all, waited for
        await client.until(lambda frame: frame.method == "x")   the first frame of all that is like this
        client.frames, client.sent                              all frames received and sent, oldest first
        client.drop()                                           the TCP connection goes, without a close frame
        other = await client.another()                          a second connection, closed with the first

A message goes to the latest session of this client unless `session=` names one; `id=None` sends it without
an id (the current generation tells its end by no frame: it is done when a later request is answered, so call
one); `meta=` goes into `params._meta`. Times are `time.perf_counter()`, on Linux one clock for all processes,
and `time.time()` as `wall`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from inspect import signature
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .exchanges import Exchange, Frame
from .process import DELEGATES, LOOPBACK, MIXED, STATELESS

_NEXT = object()
# Before 15 `websockets` knew no proxies.
_NO_PROXY: dict[str, Any] = {"proxy": None} if "proxy" in signature(connect).parameters else {}


class Client:
    """One connection; `connected` makes it."""

    def __init__(self, socket: ClientConnection, dialect: str) -> None:
        self.socket = socket
        self.dialect = dialect
        self.others: list[Client] = []
        self.session: str | None = None
        self.frames: list[Frame] = []
        self.sent: list[Frame] = []
        self.exchanges: list[Exchange] = []
        self.closed_at: float | None = None
        self._replies: dict[str, tuple[int, asyncio.Future[dict[str, Any]]]] = {}
        self._number = 0
        self._sequence = 0
        self._arrived = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def start_session(self, user: str = "tester", **params: Any) -> str:
        """Start a session, which later messages use, and return its id."""
        reply = await self.call("startSession", {"userId": user, **params})
        if "result" not in reply:
            raise RuntimeError(f"no session: {reply}")
        self.session = reply["result"]["sessionId"]
        return self.session

    async def send(
        self,
        message: str,
        *,
        session: str | None = None,
        id: Any = _NEXT,
        meta: Mapping[str, Any] | None = None,
    ) -> Exchange:
        """Send a chat message and return its exchange, still open."""
        session = session or self.session
        params = {"sessionId": session, "message": message} | ({"_meta": dict(meta)} if meta else {})
        exchange = Exchange(self.dialect, session or "", None if id is None else self._id(id))
        self.exchanges.append(exchange)
        exchange.sequence = self._sequence
        exchange.sent = time.perf_counter()
        await self._request("sendUserMessage", params, exchange.id, with_id=id is not None)
        return exchange

    async def ask(self, message: str, *, timeout: float = 60.0, **options: Any) -> Exchange:
        """Send a chat message and wait for its completion."""
        return await (await self.send(message, **options)).done(timeout)

    async def call(self, method: str, params: Any = None, *, id: Any = _NEXT, timeout: float = 60.0) -> dict[str, Any]:
        """Call a method and return the whole reply."""
        id = self._id(id)
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[json.dumps(id)] = (self._sequence, reply)
        await self._request(method, {} if params is None else params, id, with_id=True)
        return await asyncio.wait_for(reply, timeout)

    async def stop_session(self, session: str | None = None) -> dict[str, Any]:
        """Stop a session and return the reply."""
        return await self.call("stopSession", {"sessionId": session or self.session})

    async def raw(self, message: str | bytes) -> None:
        """Send a frame as it is: text or binary."""
        self.sent.append(_stamped(message))
        await self.socket.send(message)

    async def frame(self, count: int, timeout: float = 60.0) -> Frame:
        """Wait until so many frames have come in all, and return the last of them."""
        async with self._arrived:
            await asyncio.wait_for(self._arrived.wait_for(lambda: len(self.frames) >= count), timeout)
        return self.frames[count - 1]

    async def until(self, wanted: Callable[[Frame], object], count: int = 1, timeout: float = 60.0) -> Frame:
        """Wait until so many of all frames are wanted ones, and return the last of them."""

        def found() -> list[Frame]:
            return [each for each in self.frames if wanted(each)]

        async with self._arrived:
            await asyncio.wait_for(self._arrived.wait_for(lambda: len(found()) >= count), timeout)
        return found()[count - 1]

    async def quiet(self, seconds: float = 0.2) -> None:
        """Wait until no frame has come for so long."""
        count = -1
        while count != len(self.frames):
            count = len(self.frames)
            await asyncio.sleep(seconds)

    async def closed(self, timeout: float = 5.0) -> int | None:
        """Wait until the server has closed the connection, and return the close code."""
        await asyncio.wait_for(asyncio.shield(self._reader), timeout)
        return self.socket.close_code

    async def another(self) -> Client:
        """Connect to the same server once more."""
        port = self.socket.remote_address[1]
        self.others.append(Client(await _connect(port, {}), self.dialect))
        return self.others[-1]

    def drop(self) -> None:
        """Break the TCP connection without a close frame."""
        self.socket.transport.abort()

    async def close(self) -> None:
        """Close the connection in good order, and the others that were made from it."""
        for each in self.others:
            await each.close()
        await self.socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    def _id(self, id: Any) -> Any:
        if id is not _NEXT:
            return id
        self._number += 1
        return self._number

    async def _request(self, method: str, params: Any, id: Any, *, with_id: bool) -> None:
        self._sequence += 1
        message = {"jsonrpc": "2.0"} | ({"id": id} if with_id else {}) | {"method": method, "params": params}
        await self.raw(json.dumps(message))

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self.socket:
                frame = _stamped(text)
                async with self._arrived:
                    self.frames.append(frame)
                    self._arrived.notify_all()
                self._deliver(frame)
        self.closed_at = time.perf_counter()
        for each in self.exchanges:
            if not each.completed:
                each.end(f"closed with {self.socket.close_code} before the answer was complete")
        for _, reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ConnectionError(f"closed with {self.socket.close_code}"))

    def _deliver(self, frame: Frame) -> None:
        if frame.method is None:
            sequence, reply = self._replies.pop(json.dumps(frame.json.get("id")), (0, None))
            if reply is not None and not reply.done():
                self._end_silent(sequence)
                reply.set_result(frame.json)
                return
        for each in self.exchanges:
            if not each.completed and each.takes(frame):
                if each.completed:
                    self._end_silent(each.sequence)
                return

    def _end_silent(self, sequence: int) -> None:
        """End the messages without id that were sent before a request that is answered now."""
        for each in self.exchanges:
            if each.id is None and each.sequence < sequence and not each.completed:
                each.end()


def _stamped(text: str | bytes) -> Frame:
    at, wall = time.perf_counter(), time.time()
    return Frame(text if isinstance(text, str) else text.decode(errors="replace"), at, wall)


@asynccontextmanager
async def connected(port: int, dialect: str = STATELESS, **options: Any) -> AsyncIterator[Client]:
    """Connect to a server on loopback while the context lasts; options go to `websockets.connect`."""
    assert dialect in (STATELESS, DELEGATES, MIXED), dialect
    client = Client(await _connect(port, options), dialect)
    try:
        yield client
    finally:
        await client.close()


async def _connect(port: int, options: dict[str, Any]) -> ClientConnection:
    options = {"max_size": None, "ping_interval": None, "close_timeout": 2} | _NO_PROXY | options
    return await connect(f"ws://{LOOPBACK}:{port}/ws", **options)
