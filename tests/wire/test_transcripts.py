"""What the real servers said, played through the middleware: outcomes, chunks, sessions."""

from __future__ import annotations

import asyncio
import json
from contextvars import Context
from typing import Any

import pytest

from ailoop_otel import names
from tests.ailoop.process import DELEGATES, STATELESS
from tests.ailoop.transcripts import FOLDER, load
from tests.scripted import SCOPE, Server, Socket

# What each transcript's messages came to: outcome and chunks, in the order of their ends.
EXPECTED = {
    STATELESS: {
        "agent_mail": "ok 7",
        "agent_switch": "ok 2, ok 2",
        "agent_switch_first": "",
        "background_agent": "",
        "bad_params": "protocol_error 0, protocol_error 0",
        "binary": "",
        "channels": "ok 2",
        "continuation": "ok 4",
        "cut": "cut 2",
        "drop": "ai_error 0",
        "echo": "",
        "empty": "no_answer 0",
        "error_in_stream": "ok 2",
        "error_then_good": "ai_error 0, ok 2",
        "garbage": "ok 3",
        "http_401": "ai_error 0",
        "http_429": "ai_error 0",
        "http_500": "ai_error 0",
        "invalid_request": "",
        "joined_end": "ok 2",
        "json_other": "ok 1",
        "odd_errors": "",
        "one_chunk": "ok 1",
        "owner_gone": "ok 2, ok 1",
        "parse_error": "",
        "plain": "ok 3",
        "queued": "ok 2, ok 2, ok 2",
        "reasoning": "ok 4",
        "slash_clear": "ok 1, ok 0",
        "slash_help": "ok 0",
        "slash_unknown": "ok 2",
        "slow_start": "ok 2",
        "stop_from_elsewhere": "ok 3",
        "stop_session": "ok 2, protocol_error 0",
        "structured": "ok 3",
        "tool_call": "ok 3",
        "tool_call_with_text": "ok 5",
        "tool_result": "",
        "tool_then_500": "ai_error 0",
        "tool_twice": "no_answer 0",
        "tool_unknown": "ok 2",
        "two_sessions": "ok 2, ok 2",
        "two_sockets": "ok 2, ok 2",
        "two_turns": "ok 2, ok 3",
        "unicode": "ok 4",
        "unknown_method": "",
        "unknown_session": "protocol_error 0",
        "without_id": "ok 2",
    },
    DELEGATES: {
        "bad_params": "protocol_error 0, protocol_error 0",
        "binary": "",
        "blank": "disconnected 0",
        "cut": "ai_error 2",
        "drop": "ai_error 0",
        "echo": "",
        "error_in_stream": "ok 2",
        "error_then_good": "ai_error 0, ok 2",
        "garbage": "ai_error 1",
        "http_401": "ai_error 0",
        "http_429": "ai_error 0",
        "http_500": "ai_error 0",
        "invalid_request": "",
        "joined_end": "ok 2",
        "one_chunk": "ok 1",
        "owner_gone": "ok 2, disconnected 0",
        "parse_error": "",
        "plain": "ok 3",
        "queued": "ok 2, ok 2, ok 2",
        "reasoning": "ok 2",
        "slow_start": "ok 2",
        "stop_from_elsewhere": "cancelled 1",
        "stop_session": "ok 2, protocol_error 0",
        "stop_while_streaming": "cancelled 1",
        "structured": "ok 8",
        "timeout": "ai_timeout 2",
        "tool_call": "ai_error 0",
        "tool_result": "",
        "two_sessions": "ok 2, ok 2",
        "two_sockets": "ok 2, ok 2",
        "two_turns": "ok 2, ok 3",
        "unicode": "ok 4",
        "unknown_method": "",
        "unknown_session": "protocol_error 0",
        "without_id": "",
    },
}


class Player:
    """An application that sends what a transcript says, each frame from where the real server sends it."""

    def __init__(self, server: Server, dialect: str) -> None:
        self.server = server
        self.dialect = dialect
        self.sockets: dict[int, Socket] = {}
        self.frames: dict[int, asyncio.Queue[str | None]] = {}
        self.handling: dict[int, Any] = {}

    async def play(self, entries: list[dict[str, Any]]) -> None:
        """Play it from the first frame to the last, with its times."""
        begun = self.server.clock.time
        for entry in entries:
            self.server.clock.time = begun + round(entry["t"] * 1e9)
            number = entry.get("connection", 1)
            await self._open(number)
            if entry["direction"] == "out":
                await self._deliver(number, {"type": "websocket.receive", "text": entry["text"]})
            elif entry["direction"] == "in":
                await self._send(number, entry["text"])
        for number in self.sockets:
            await self._end_handler(number)
            await self._deliver(number, {"type": "websocket.disconnect", "code": 1000})
        await asyncio.gather(*(socket.task for socket in self.sockets.values() if socket.task is not None))

    async def _open(self, number: int) -> None:
        if number not in self.sockets:
            self.frames[number] = asyncio.Queue()
            self.handling[number] = None
            socket = Socket(self.server, lambda socket: self._application(number, socket))
            self.sockets[number] = socket
            await socket.open(dict(SCOPE))

    async def _application(self, number: int, socket: Socket) -> None:
        while True:
            message = await socket.receive()
            if message.get("text") is None:
                return
            request = _read(message["text"])
            if self.dialect == DELEGATES and "id" not in request and "method" in request and "jsonrpc" in request:
                continue
            self.handling[number] = request
            while (frame := await self.frames[number].get()) is not None:
                await socket.text(frame)
                if "method" not in _read(frame):
                    break
            self.handling[number] = None

    async def _send(self, number: int, frame: str) -> None:
        content = _read(frame)
        is_reply = "method" not in content
        if is_reply:
            handled = self.handling[number]
            if handled is not None and handled.get("id") != content.get("id") and "id" in content and handled:
                await self._end_handler(number)
        if is_reply or (self.dialect == STATELESS and self.handling[number] is not None):
            self.frames[number].put_nowait(frame)
        else:
            task = Context().run(asyncio.create_task, self.sockets[number].text(frame))
            await task
        await _settle()

    async def _end_handler(self, number: int) -> None:
        if self.handling[number] is not None:
            self.frames[number].put_nowait(None)
            await _settle()

    async def _deliver(self, number: int, message: dict[str, Any]) -> None:
        self.sockets[number].put(message)
        await _settle()


def _read(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {"id": None}
    return content if isinstance(content, dict) else {"id": None}


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def scenarios() -> list[tuple[str, str]]:
    """All transcripts."""
    return [(path.parent.name, path.stem) for path in sorted(FOLDER.glob("*/*.json"))]


@pytest.mark.parametrize(("dialect", "name"), scenarios())
async def test_each_transcript_comes_to_what_happened(dialect: str, name: str) -> None:
    """Each message ends once, as what it was, and nothing is left open."""
    server = Server()
    player, entries = Player(server, dialect), load(dialect, name)
    await player.play(entries)
    roots = server.recording.spans("sendUserMessage")
    ends = [root.attributes for root in roots if names.OUTCOME in root.attributes]
    assert ", ".join(f"{end[names.OUTCOME]} {end[names.STREAM_CHUNKS]}" for end in ends) == EXPECTED[dialect][name]
    assert server.recording.telemetry.unmatched == 0
    for number, socket in player.sockets.items():
        said = [each["text"] for each in entries if each["direction"] == "in" and each.get("connection", 1) == number]
        assert [message["text"] for message in socket.sent] == said
    assert server.state.exchanges == set()
    assert len(server.state.queues) == 0
    assert server.recording.total(names.METRIC_EXCHANGE_ACTIVE.name) == 0
    assert server.recording.total(names.METRIC_SESSION_ACTIVE.name) == 0
