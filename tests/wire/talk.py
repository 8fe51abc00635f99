"""A conversation in which the test says, message by message, which frames the server answers with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from contextvars import Context
from typing import Any

from ailoop_otel import names
from tests.recorder import Point, Recording
from tests.scripted import SESSION, Server, Socket, compact, reply, request, status, updates

MESSAGE = "sendUserMessage"


class Talk:
    """One socket. Of a message's answer a str is sent, a float lets seconds pass, an exception is raised."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.answer: tuple[Any, ...] = ()
        self.socket: Socket

    @property
    def recording(self) -> Recording:
        """What was recorded."""
        return self.server.recording

    async def open(self, **scope: Any) -> Talk:
        """Do the handshake."""
        self.socket = await self.server.serve(self._application, **scope)
        return self

    async def say(self, message: Any, *answer: Any) -> None:
        """The client says something, and the server's handler answers with this."""
        self.answer = answer
        await self.socket.deliver(message)

    async def elsewhere(self, *frames: Any) -> None:
        """Another task of the server, which knows nothing of messages, does this on the socket."""
        await Context().run(asyncio.create_task, self._play(self.socket, frames))

    async def leave(self, code: int = 1000) -> None:
        """The client closes."""
        await self.socket.leave(code)

    def exchanges(self) -> list[dict[str, Any]]:
        """The attributes of the exchanges that have ended, in order."""
        return [attributes for attributes in self._of(MESSAGE) if names.OUTCOME in attributes]

    def outcomes(self) -> list[str]:
        """How they ended."""
        return [attributes[names.OUTCOME] for attributes in self.exchanges()]

    def calls(self, method: str) -> list[dict[str, Any]]:
        """The attributes of the calls that have ended and are no exchanges."""
        return [attributes for attributes in self._of(method) if names.OUTCOME not in attributes]

    def _of(self, name: str) -> Iterator[dict[str, Any]]:
        for span in self.recording.spans(name):
            yield dict(span.attributes or {})

    async def _application(self, socket: Socket) -> None:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            await self._play(socket, self.answer)

    async def _play(self, socket: Socket, steps: tuple[Any, ...]) -> None:
        for step in steps:
            if isinstance(step, str):
                with suppress(OSError):
                    await socket.send({"type": "websocket.send", "text": step})
            elif isinstance(step, float):
                socket.server.clock.move(step)
            elif isinstance(step, BaseException):
                raise step
            else:
                step()


def answered(request_id: Any, text: str | None) -> str:
    """The current generation's reply to a message."""
    return reply(request_id, {"messageId": "m", "status": 0, "ai_response": text, "tool_calls": []})


def acknowledged(request_id: Any) -> str:
    """The earlier generation's reply to a message."""
    return reply(request_id, {"messageId": "m", "status": 0})


def refused(request_id: Any, code: int) -> str:
    """An error reply."""
    return reply(request_id, None).replace('"result": null', f'"error": {{"code": {code}, "message": "no"}}')


def streamed(request_id: Any, *texts: str) -> list[str]:
    """A whole answer of the current generation."""
    return [*updates(texts), answered(request_id, "".join(texts))]


def message(request_id: Any = None, session: str | None = SESSION, text: str = "hello", **params: Any) -> str:
    """A client's message; without an id it is a notification."""
    return request(MESSAGE, request_id, sessionId=session, message=text, **params)


async def stateless(session: str | None = SESSION, server: Server | None = None, **settings: Any) -> Talk:
    """A socket to the current generation, with a session unless there is to be none."""
    talk = await Talk(server or Server(**settings)).open()
    if session is not None:
        greeting = [compact("agent.created", {"agent_id": "a"}), compact("agent.switched", {"from": "a", "to": "a"})]
        started = reply("s", {"sessionId": session, "status": 1})
        await talk.say(request("startSession", "s", userId="u"), *greeting, started)
    return talk


async def delegates(session: str | None = SESSION, server: Server | None = None, **settings: Any) -> Talk:
    """A socket to the earlier generation, with a session unless there is to be none."""
    talk = await Talk(server or Server(**settings)).open()
    if session is not None:
        started = reply("s", {"sessionId": session, "status": 1})
        await talk.say(request("startSession", "s", userId="u"), status(1, "Session started", session), started)
    return talk


def durations(talk: Talk, method: str) -> list[Point]:
    """The data points of a method's calls."""
    points = talk.recording.points("rpc.server.call.duration")
    return [point for point in points if point.labels[names.RPC_METHOD] == method]
