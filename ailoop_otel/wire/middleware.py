"""The ASGI middleware: observes WebSockets and the application's start and shutdown, passes HTTP to a wrapped app."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol

from ailoop_otel.guard import Guard, tried
from ailoop_otel.wire.connection import Connection
from ailoop_otel.wire.socket import Message, Receive, Send, Socket
from ailoop_otel.wire.state import Wire

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# The key of a scope that is observed already: a second middleware in the same application leaves it alone.
MARK: Final = "ailoop_otel"


class Host(Protocol):
    """The process that the middleware is in, as far as the middleware needs it."""

    guard: Guard

    def wire(self) -> Wire | None:
        """The state that connections share, made on the first call; None while switched off."""

    def http(self, app: App) -> App:
        """The application that plain HTTP requests are passed to, for as long as `wire` returns the same object."""

    def started(self) -> None:
        """The application has started, on the running event loop."""

    async def stopping(self) -> None:
        """The application has shut down; returns within 3 s."""

    async def left(self) -> None:
        """A WebSocket is over; returns within 3 s."""


class Observer:
    """A pure ASGI middleware. It holds configuration only: the state of a socket is in its `Connection`."""

    def __init__(self, app: App, host: Host) -> None:
        self.app = app
        self._host = host
        self._http = app
        self._wire: Wire | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if MARK in scope:
            await self.app(scope, receive, send)
            return
        kind = scope["type"]
        if kind == "websocket":
            connection = None
            with self._host.guard:
                wire = self._host.wire()
                if wire is not None:
                    scope[MARK] = True
                    connection = Socket(wire, scope, receive, send)
                    receive, send = connection.receive, connection.send
            try:
                await self.app(scope, receive, send)
            except BaseException as error:
                # Not kept in a variable: it would keep this frame and the application's alive until collected.
                with self._host.guard:
                    _end(scope, connection, error)
                raise
            with self._host.guard:
                _end(scope, connection, None)
                await self._host.left()
        elif kind == "lifespan":
            with self._host.guard:
                send = self._lifespan_send(send)
            await self.app(scope, receive, send)
        else:
            with self._host.guard:
                wire = self._host.wire()
                if wire is not self._wire:
                    self._http = self._host.http(self.app)
                    self._wire = wire
            await self._http(scope, receive, send)

    def _lifespan_send(self, send: Send) -> Send:
        host = self._host

        async def observed(message: Message) -> None:
            kind = message.get("type")
            if kind == "lifespan.startup.complete":
                with host.guard:
                    host.started()
            elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                # Before the message is passed on: uvicorn then ends the process by a signal, and no exit handler runs.
                with host.guard:
                    await host.stopping()
            await send(message)

        return observed


def _end(scope: Scope, connection: Connection | None, raised: BaseException | None) -> None:
    scope.pop(MARK, None)
    if connection is not None:
        connection.close(connection.wire.telemetry.clock.now(), raised)


async def in_thread(work: Callable[[], bool], timeout: float) -> bool:
    """Run blocking work in a daemon thread, and wait for it `timeout` seconds at most; returns its result, or False.

    The loop's executor is not used: Python waits for its threads at exit, even for one that hangs.
    """
    import threading

    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    result = False

    def run() -> None:
        nonlocal result
        result = bool(tried(work)[0])
        # The loop may be closed when a late flush returns.
        if not loop.is_closed():
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="ailoop-otel-flush", daemon=True).start()
    try:
        await asyncio.wait_for(done.wait(), timeout)
    except asyncio.TimeoutError:
        return False
    return result
