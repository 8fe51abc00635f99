"""A client of AILoop for measuring: one connection, one session, both generations.

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

from ailoop_otel.measure import socket
from ailoop_otel.measure.conversation import Conversation
from ailoop_otel.measure.message import CLIENT_TIMEOUT, Message
from ailoop_otel.measure.refusal import Refusal
from ailoop_otel.measure.socket import Refused, Socket, address
from ailoop_otel.protocol.dialect import Dialect
from ailoop_otel.protocol.jsonrpc import Json, error_code
from ailoop_otel.protocol.registry import DIALECTS

_USER: Final = "ailoop-otel"
_STOPPING: Final = 5.0


class Session:
    """One session on a connection of its own; `connect` makes it. Times are `time.perf_counter()`."""

    def __init__(self, dialect: Dialect | None = None) -> None:
        self._socket: Socket | None = None
        self.conversation = Conversation(self._send, dialect)
        self.id = ""
        self.asked_at = 0.0
        """When startSession was sent."""
        self.started_at = 0.0
        """When its response came."""
        self.ended_at = 0.0
        """When it was stopped, or its connection ended."""
        self.turns = 0
        self.on_over: Callable[[], None] = _nobody
        """Called when the connection has ended, whoever ended it."""

    @property
    def is_open(self) -> bool:
        """Whether a message may be sent."""
        return bool(self.started_at) and not self.ended_at and self._socket is not None and self._socket.is_open

    async def open(self, url: str, *, deflate: bool, patience: float) -> None:
        """Connect; raises Refused when the server cannot be reached in so many seconds."""
        try:
            self._socket = await asyncio.wait_for(
                socket.connect(address(url), self.conversation.take, self._closed, deflate=deflate), patience
            )
        except asyncio.TimeoutError as error:
            raise Refused(f"no connection after {patience:g} s") from error

    async def start(self, patience: float = 30.0) -> None:
        """Start the session; raises Refused when the server gives none in so many seconds."""
        self.asked_at = time.perf_counter()
        dialect = self.conversation.dialect
        if not dialect.start_method:
            self.started_at = self.asked_at
            return
        reply = await self._call(dialect.start_method, dialect.start_params(_USER), patience)
        if reply is None:
            raise Refused(f"no response to {dialect.start_method} in {patience:g} s, or the connection ended")
        _, session = DIALECTS.started(dialect.start_method, reply.get("result"))
        if error_code(reply) is not None or session is None:
            raise Refused("the server refused to start a session; its log says why")
        self.id = session

    def send(self, text: str, message: Message) -> None:
        """Send a message now; its `on_end` is called when its answer is complete or can no longer come."""
        self.turns += 1
        if self.is_open:
            self.conversation.ask(message, self.id, text, time.perf_counter())
        else:
            message.lose(time.perf_counter())

    async def ask(self, text: str, *, planned: float = 0.0, patience: float = 120.0) -> Message:
        """Send a message and wait for its answer, so many seconds at most; `planned` is now if it is not said.

        After a `client_timeout` the answer may still come: end the session rather than ask it again.
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
        """Stop the session and close its connection; a server that does not answer is left after some seconds."""
        dialect = self.conversation.dialect
        if self.is_open and dialect.stop_method:
            await self._call(dialect.stop_method, dialect.stop_params(self.id), _STOPPING)
        await self.close()

    async def close(self) -> None:
        """Close the connection and leave the session to the server."""
        self._end()
        if self._socket is not None:
            await self._socket.close()

    def drop(self) -> None:
        """Break the connection off."""
        self._end()
        if self._socket is not None:
            self._socket.drop()

    async def _call(self, method: str, params: Json, patience: float) -> Json | None:
        answered: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()

        def reply(frame: Json | None) -> None:
            if method == self.conversation.dialect.start_method and frame is not None:
                self.started_at = time.perf_counter()
            if not answered.done():
                answered.set_result(frame)

        self.conversation.call(method, params, reply)
        try:
            return await asyncio.wait_for(answered, patience)
        except asyncio.TimeoutError:
            return None

    def _send(self, text: str) -> None:
        if self._socket is not None:
            self._socket.send(text)

    def _end(self) -> None:
        self.ended_at = self.ended_at or time.perf_counter()

    def _closed(self) -> None:
        self._end()
        self.conversation.close(time.perf_counter())
        self.on_over()


async def connect(url: str, *, deflate: bool = True, patience: float = 30.0, dialect: Dialect | None = None) -> Session:
    """Connect to a server; raises Refused with the reason. The session is yet to be started.

    `dialect` says which requests the server takes, AILoop's unless given (`dialect_named`).
    """
    session = Session(dialect)
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


def _nobody() -> None:
    return None
