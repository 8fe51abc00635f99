"""A server that speaks the current generation's dialect and behaves exactly as its options demand, in its own process.

    with scripted(first=0.05, chunks=3, leak=100_000) as server:
        server.url, server.port, server.pid
        server.command                  what `--start` would be given (the port is in it)

Its options say how every message is answered; words `key=value` in a message go before them:

    first   s before the first chunk        spread  standard deviation of ln(first), drawn anew for each message
    gap     s between chunks                chunks  how many
    end     ok, ai_error, cut, no_answer, server_error, protocol_error, drop (the connection), hang (no end at all)
    leak    bytes kept for each session     growth  bytes kept for each message
    limit   sessions beyond it are refused  crowd   sessions beyond it make each answer ten times slower
    truth   file that gets, at the end, what it did: sessions, and of each answer s to the first chunk and to the end
    told    how many answers it tells of on its standard output, when they were given
    freeze_at, freeze_for    s after the first message at which the whole server stands still, and for how long
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

LOOPBACK = "127.0.0.1"
DEFAULTS: dict[str, Any] = {
    "first": 0.0, "spread": 0.0, "gap": 0.0, "chunks": 1, "end": "ok", "leak": 0, "growth": 0, "limit": 0,
    "crowd": 0, "freeze_at": 0.0, "freeze_for": 0.0, "seed": 1,
    "truth": "", "told": 0,
}  # fmt: skip
_ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Scripted:
    """A server that runs."""

    port: int
    pid: int
    command: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"ws://{LOOPBACK}:{self.port}/ws"


def command(port: int, **options: Any) -> list[str]:
    """The command that starts one; an unknown option is a KeyError."""
    words = [sys.executable, str(Path(__file__).resolve()), "--port", str(port)]
    for name, value in options.items():
        words += [f"--{name}", str(type(DEFAULTS[name])(value))]
    return words


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def scripted(**options: Any) -> Iterator[Scripted]:
    """Run one while the context lasts."""
    port = free_port()
    words = command(port, **options)
    process = subprocess.Popen(words, cwd=_ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait(port, process)
        yield Scripted(port, process.pid, " ".join(words))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while not _listens(port):
        assert process.poll() is None, "the scripted server ended"
        assert time.monotonic() < deadline, "the scripted server does not listen"
        time.sleep(0.02)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), 1).close()
    except OSError:
        return False
    return True


class _Server:
    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.random = random.Random(options["seed"])
        self.kept: list[bytes] = []
        self.sessions = self.started = 0
        self.frozen = not options["freeze_for"]
        self.first_message = 0.0
        self.answers: list[tuple[float, float]] = []
        self.first_sent: dict[str, float] = {}

    async def handle(self, socket: ServerConnection) -> None:
        """One request after the other, as the real server does."""
        session = ""
        try:
            async for frame in socket:
                request = json.loads(frame)
                params = request["params"]
                if request["method"] == "startSession":
                    session = await self.start(socket, request["id"])
                elif request["method"] == "sendUserMessage":
                    await self.answer(socket, session, request["id"], str(params["message"]))
                else:
                    await reply(socket, request["id"], {"status": 2})
        except ConnectionClosed:
            pass
        finally:
            self.sessions -= bool(session)

    async def start(self, socket: ServerConnection, number: int) -> str:
        """Start a session, or refuse one too many."""
        if self.options["limit"] and self.sessions >= self.options["limit"]:
            error = {"code": -32603, "message": "too many sessions"}
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "error": error}))
            return ""
        self.sessions += 1
        self.started += 1
        self.kept.append(os.urandom(self.options["leak"]))
        session = str(uuid.uuid4())
        await notify(socket, "agent.created", {"agent_id": "a", "active": True})
        await reply(socket, number, {"sessionId": session, "status": 1})
        return session

    async def answer(self, socket: ServerConnection, session: str, number: int, message: str) -> None:
        """Answer a message as the options and its own words say."""
        begun = time.perf_counter()
        self.freeze()
        self.kept.append(os.urandom(self.options["growth"]))
        given = dict(word.split("=", 1) for word in message.split() if "=" in word)
        options = self.options | {name: type(DEFAULTS[name])(value) for name, value in given.items()}
        slow = 10 if self.options["crowd"] and self.sessions > self.options["crowd"] else 1
        first = options["first"] * slow * self.random.lognormvariate(0, options["spread"])
        await asyncio.sleep(first)
        end = options["end"]
        if end == "hang":
            await asyncio.sleep(3600)
        if end == "drop":
            socket.transport.abort()
            return
        if end in ("server_error", "protocol_error"):
            code = -32603 if end == "server_error" else -32602
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": ""}}))
            return
        text = await self.stream(socket, session, options) if end in ("ok", "cut") else ""
        result = {"messageId": str(uuid.uuid4()), "status": 0, "ai_response": text, "tool_calls": []}
        if end == "ai_error":
            result["ai_response"] = None
        await reply(socket, number, result)
        self.answers.append((self.first_sent.pop(session, math.nan) - begun, time.perf_counter() - begun))
        if len(self.answers) == self.options["told"]:
            sys.stdout.write(f"{self.options['told']} answers\n")
            sys.stdout.flush()

    async def stream(self, socket: ServerConnection, session: str, options: dict[str, Any]) -> str:
        """Send the chunks, each with all text so far, the last one twice unless the answer is cut."""
        text = ""
        for count in range(options["chunks"]):
            if count:
                await asyncio.sleep(options["gap"])
            text += f"w{count} "
            await chunk(socket, session, text)
            self.first_sent.setdefault(session, time.perf_counter())
        if options["end"] == "ok" and text:
            await chunk(socket, session, text)
        return text

    def freeze(self) -> None:
        """Stand still once, when it is time."""
        self.first_message = self.first_message or time.monotonic()
        if not self.frozen and time.monotonic() - self.first_message >= self.options["freeze_at"]:
            self.frozen = True
            time.sleep(self.options["freeze_for"])


async def chunk(socket: ServerConnection, session: str, text: str) -> None:
    """Send all text so far."""
    params = {"type": "streaming_chunk", "content": text, "sessionId": session, "agentId": "a"}
    await notify(socket, "StreamingUpdate", {**params, "isPartial": True, "format": "text", "rawContent": True})


async def notify(socket: ServerConnection, method: str, params: dict[str, Any]) -> None:
    """Send a notification, compact."""
    frame = {"jsonrpc": "2.0", "method": method, "params": params}
    await socket.send(json.dumps(frame, separators=(",", ":")))


async def reply(socket: ServerConnection, number: int, result: dict[str, Any]) -> None:
    """Send a reply, with spaces."""
    await socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}))


async def main() -> None:
    """Serve until it is terminated, which ends what hangs too."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    for name, default in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options = vars(parser.parse_args())
    server = _Server(options)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with serve(server.handle, LOOPBACK, options["port"], max_size=None, ping_interval=None, close_timeout=0.5):
        await ended.wait()
        if options["truth"]:
            Path(options["truth"]).write_text(json.dumps({"sessions": server.started, "answers": server.answers}))
        os._exit(0)  # at once, whatever hangs


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
