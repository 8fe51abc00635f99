"""A WebSocket without a socket: a script of frames, played through the middleware."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context
from typing import Any

from ailoop_otel.guard import Guard
from ailoop_otel.tracking.sessions import Ledger
from ailoop_otel.wire.middleware import App, Observer
from ailoop_otel.wire.state import Wire
from tests.naps import unstarted
from tests.recorder import Recording

SESSION = "01234567-89ab-cdef-0123-456789abcdef"
SCOPE = {"type": "websocket", "path": "/ws", "headers": [], "client": ("127.0.0.1", 50000)}


class Server:
    """The middleware with a `Recording` behind it; its watchdog's thread does not run, `watchdog.check` does."""

    def __init__(self, guard: Guard | None = None, **settings: Any) -> None:
        self.recording = Recording(guard, **settings)
        self.guard = self.recording.guard
        self.clock = self.recording.clock
        self.watchdog = unstarted(self.recording)
        self.state = Wire(self.recording.telemetry, Ledger(self.recording.telemetry), self.watchdog)

    def wire(self) -> Wire:
        """As a host gives it."""
        return self.state

    def http(self, app: App) -> App:
        """As a host gives it."""
        return app

    def started(self) -> None:
        """As a host has it."""

    async def stopping(self) -> None:
        """As a host has it."""

    async def left(self) -> None:
        """As a host has it."""

    async def serve(self, application: Application, **scope: Any) -> Socket:
        """Run an application on a new socket until it waits for its first message."""
        socket = Socket(self, application)
        await socket.open({**SCOPE, **scope})
        return socket


Application = Callable[["Socket"], Awaitable[None]]


class Socket:
    """One connection: `deliver` what the client sends, look at what the application `sent`."""

    def __init__(self, server: Server, application: Application | None = None) -> None:
        self.server = server
        self.sent: list[Any] = []
        self.broken = False
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._idle = asyncio.Event()
        self._application = application
        self.send: Any = None
        self.receive: Any = None
        self.task: asyncio.Task[None] | None = None

    async def open(self, scope: dict[str, Any]) -> None:
        """Do the handshake."""
        observer = Observer(self._run, self.server)
        self.task = Context().run(asyncio.create_task, observer(scope, self._receive, self._send))
        await self._settle()

    async def deliver(self, message: Any) -> None:
        """Hand a message to the application and wait until it has dealt with it: a str, or an ASGI message."""
        self._idle.clear()
        self._inbox.put_nowait({"type": "websocket.receive", "text": message} if isinstance(message, str) else message)
        await self._settle()

    def put(self, message: Any) -> None:
        """Hand a message over and wait for nothing."""
        self._inbox.put_nowait(message)

    async def leave(self, code: int = 1000) -> None:
        """The client closes."""
        await self.deliver({"type": "websocket.disconnect", "code": code})
        if self.task is not None:
            await self.task

    async def _settle(self) -> None:
        done = asyncio.create_task(self._idle.wait())
        await asyncio.wait({done, self.task}, return_when=asyncio.FIRST_COMPLETED)
        done.cancel()

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        self.receive, self.send = receive, send
        if self._application is not None:
            await self._application(self)

    async def _receive(self) -> Any:
        if self._inbox.empty():
            self._idle.set()
        return await self._inbox.get()

    async def _send(self, message: Any) -> None:
        if self.broken:
            raise OSError("the client has left")
        self.sent.append(message)

    async def text(self, frame: str) -> None:
        """What an application does: send a frame, and go on if the client has left."""
        try:
            await self.send({"type": "websocket.send", "text": frame})
        except OSError:
            return


def answering(replies: dict[str, Callable[[Socket, dict[str, Any]], Awaitable[None]]]) -> Application:
    """An application that handles one message after the other by its method, as AILoop does."""

    async def application(socket: Socket) -> None:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            request = json.loads(message["text"])
            await replies[request["method"]](socket, request)

    return application


def compact(method: str, params: dict[str, Any]) -> str:
    """A notification of the current generation."""
    frame = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)


def spaced(method: str, params: dict[str, Any]) -> str:
    """A notification of the earlier generation."""
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params})


def reply(request_id: Any, result: Any) -> str:
    """A reply of either generation."""
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result})


def request(method: str, request_id: Any = None, **params: Any) -> str:
    """A client's frame; without an id it is a notification."""
    frame = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(frame if request_id is None else {**frame, "id": request_id})


def update(text: str, session: str = SESSION, agent: str = "a", *, structured: bool = False) -> str:
    """A chunk of the current generation: all text so far."""
    params: dict[str, Any] = {
        "type": "streaming_chunk", "content": text, "sessionId": session, "agentId": agent, "isPartial": True,
        "format": "text",
    }  # fmt: skip
    params["isStructured" if structured else "rawContent"] = True
    return compact("StreamingUpdate", params)


def channel(text: str, session: str = SESSION) -> str:
    """The frame with the whole text that the current generation sends after each model call."""
    metadata = {"sequence": 1, "agentId": "a", "sessionId": session, "isPartial": False}
    params = {"type": "channel_message", "channel": "final", "content": text, "metadata": metadata}
    return compact("ChannelMessageNotification", params)


def chunk(text: str, session: str = SESSION, *, final: bool = False) -> str:
    """A chunk of the earlier generation: a piece of text."""
    return spaced("AIMessageChunkNotification", {"sessionId": session, "chunk": text, "isFinal": final})


def status(code: int, reason: str, session: str = SESSION) -> str:
    """A status notice of the earlier generation."""
    return spaced("SessionStatusNotification", {"sessionId": session, "status": code, "reason": reason})


def updates(texts: Iterable[str]) -> list[str]:
    """The chunk frames of a whole streamed answer of the current generation: cumulative, the last one twice."""
    frames, so_far = [], ""
    for text in texts:
        so_far += text
        frames.append(update(so_far))
    return [*frames, update(so_far)]
