"""A session with an AILoop server of either generation, on its own connection.

session = await connect("ws://127.0.0.1:8000/ws")
await session.start()
message = await session.ask("hello", patience=60)
message.outcome, message.first - message.planned, message.completed - message.planned, message.trace_id
await session.stop()
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.client import websocket
from ailoop_otel.measure.client.conversation import Conversation
from ailoop_otel.measure.client.message import CLIENT_TIMEOUT, Message
from ailoop_otel.measure.client.websocket import Refused, WebSocketClient, address
from ailoop_otel.protocol.dialect import Dialect
from ailoop_otel.protocol.jsonrpc import Json, error_code
from ailoop_otel.protocol.registry import DIALECTS

_USER: Final = "ailoop-otel"
_STOPPING: Final = 5.0


class ClientSession:
    """One session on its own connection, created by `connect`. Times are seconds of `time.perf_counter()`."""

    def __init__(self, dialect: Dialect | None = None) -> None:
        self._socket: WebSocketClient | None = None
        self.conversation = Conversation(self._send, dialect)
        self.id = ""
        self.asked_at = 0.0
        """When startSession was sent; 0 for not yet."""
        self.started_at = 0.0
        """When it had started: its response arrived, or nothing starts one; 0 for not yet."""
        self.ended_at = 0.0
        """When it was stopped, or its connection ended; 0 for not yet."""
        self.turns = 0
        self.on_over: Callable[[], None] = _ignore
        """Called when the connection has ended, from either side."""

    @property
    def is_open(self) -> bool:
        """Whether a message can be sent."""
        return bool(self.started_at) and not self.ended_at and self._socket is not None and self._socket.is_open

    async def open(self, url: str, *, deflate: bool, patience: float) -> None:
        """Connect; raises Refused when the server cannot be reached within `patience` seconds."""
        try:
            self._socket = await asyncio.wait_for(
                websocket.connect(address(url), self.conversation.take, self._closed, deflate=deflate), patience
            )
        except asyncio.TimeoutError as error:
            raise Refused(f"no connection after {patience:g} s") from error

    async def start(self, patience: float = 30.0) -> None:
        """Start the session; raises Refused when the server does not start one within `patience` seconds."""
        self.asked_at = time.perf_counter()
        dialect = self.conversation.dialect
        if not dialect.start_method:
            self.started_at = self.asked_at
            return
        reply, at = await self._call(dialect.start_method, dialect.start_params(_USER), patience)
        if reply is None:
            raise Refused(f"no response to {dialect.start_method} in {patience:g} s, or the connection ended")
        _, session = DIALECTS.started(dialect.start_method, reply.get("result"))
        if error_code(reply) is not None or session is None:
            raise Refused("the server refused to start a session; its log says why")
        self.id, self.started_at = session, at

    def send(self, text: str, message: Message) -> None:
        """Send a message now; its `on_end` is called when its answer is complete or cannot arrive any more."""
        self.turns += 1
        if self.is_open:
            self.conversation.ask(message, self.id, text, time.perf_counter())
        else:
            message.lose(time.perf_counter())

    async def ask(self, text: str, *, planned: float = 0.0, patience: float = 120.0) -> Message:
        """Send a message and wait at most `patience` seconds for its answer; `planned` is now by default.

        After a `client_timeout` the answer may still arrive, so the session must not be used for another message.
        """
        message = Message(planned or time.perf_counter())
        ended = asyncio.Event()
        message.on_end = lambda message: ended.set()
        self.send(text, message)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ended.wait(), message.planned + patience - time.perf_counter())
        message.abandon(CLIENT_TIMEOUT)
        return message

    async def stop(self) -> None:
        """Stop the session and close its connection; waits at most `_STOPPING` seconds for the server's response."""
        dialect = self.conversation.dialect
        if self.is_open and dialect.stop_method:
            await self._call(dialect.stop_method, dialect.stop_params(self.id), _STOPPING)
        await self.close()

    async def close(self) -> None:
        """Close the connection without stopping the session."""
        self._end()
        if self._socket is not None:
            await self._socket.close()

    def drop(self) -> None:
        """Abort the connection."""
        self._end()
        if self._socket is not None:
            self._socket.drop()

    async def _call(self, method: str, params: Json, patience: float) -> tuple[Json | None, float]:
        """Send a request; returns the reply, None if it does not come in time, and when it came."""
        answered: asyncio.Future[tuple[Json | None, float]] = asyncio.get_running_loop().create_future()

        def reply(frame: Json | None) -> None:
            if not answered.done():
                answered.set_result((frame, time.perf_counter()))

        self.conversation.call(method, params, reply)
        try:
            return await asyncio.wait_for(answered, patience)
        except asyncio.TimeoutError:
            return None, 0.0

    def _send(self, text: str) -> None:
        if self._socket is not None:
            self._socket.send(text)

    def _end(self) -> None:
        self.ended_at = self.ended_at or time.perf_counter()

    def _closed(self) -> None:
        self._end()
        self.conversation.close(time.perf_counter())
        self.on_over()


async def connect(
    url: str, *, deflate: bool = True, patience: float = 30.0, dialect: Dialect | None = None
) -> ClientSession:
    """Connect to a server; raises Refused with the reason. `start` has to start the session.

    `dialect` decides which requests are sent, AILoop's by default (`dialect_named`).
    """
    session = ClientSession(dialect)
    await session.open(url, deflate=deflate, patience=patience)
    return session


def dialect_named(name: str) -> Dialect:
    """The dialect of this name; raises Refusal with the names of all others."""
    dialect = DIALECTS.named(name)
    if dialect is not None:
        return dialect
    broken = next((plugin.line for plugin in DIALECTS.plugins if plugin.name == name and plugin.problem), "")
    raise Refusal(
        broken
        or f"{name} is no dialect; there are {', '.join(each.name for each in DIALECTS.dialects)}. "
        "Install the package that brings it into this environment, or write one: docs/dialects.md"
    )


def _ignore() -> None:
    return None
