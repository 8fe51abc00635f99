"""The current generation's stand-in, served in this process: the real wire and the real hooks, without a network.

The provider is a script, and a `SteppingClock` is the only clock.
"""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel.guard import Guard
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.server.hooks import HookContext
from ailoop_otel.server.patching import Patches
from ailoop_otel.server.targets import TARGETS
from ailoop_otel.wire.calls import remote_span
from tests.recorder import EPOCH, ManualClock
from tests.scripted import SCOPE, Server, Socket, request

ROOT = Path(__file__).parent.parent / "ailoop" / "stateless"
_PACKAGES = ("ai_whisperer", "interactive_server")
_MILLISECOND = SECOND // 1000

Line = bytes | Callable[[], object]


class SteppingClock(ManualClock):
    """Each reading takes a millisecond; from reading `at` on the wall clock is `step` seconds off.

    Threads may read it at the same time.
    """

    def __init__(self, at: int = sys.maxsize, step: float = 0.0) -> None:
        self._counter = itertools.count(1)
        self._at, self._step = at, round(step * SECOND)
        self._moved = 1_000 * SECOND
        self.readings = 0

    def now(self) -> int:
        """Monotonic time, nanoseconds."""
        return self._read()[0]

    def wall(self) -> int:
        """Time since the epoch, nanoseconds."""
        time, stepped = self._read()
        return EPOCH + time + (self._step if stepped else 0)

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._moved += round(seconds * SECOND)

    def _read(self) -> tuple[int, bool]:
        self.readings = number = next(self._counter)
        return self._moved + number * _MILLISECOND, number >= self._at


class Provider:
    """Stands in for `requests`: each call gets the next of `answers`, whose callables run between the lines."""

    def __init__(self) -> None:
        self.answers: list[list[Line]] = []

    def post(self, url: str, **_: Any) -> Any:
        """As `requests.post`."""
        lines = self.answers.pop(0)

        class Response:
            status_code = 200

            @staticmethod
            def iter_lines() -> Iterator[bytes]:
                for line in lines:
                    if isinstance(line, bytes):
                        yield line
                    else:
                        line()

        return Response()


def piece(finish_reason: str | None = None, **delta: Any) -> bytes:
    """The line of one chunk."""
    chunk = {"id": "gen-1", "model": "some/model", "choices": [{"delta": delta, "finish_reason": finish_reason}]}
    return b"data: " + json.dumps(chunk).encode()


def tool_calls(*calls: tuple[str, dict[str, Any]]) -> bytes:
    """The line that asks for tools, by name and arguments."""
    wanted = [
        {"index": index, "id": f"call-{index}", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for index, (name, arguments) in enumerate(calls)
    ]
    return piece(tool_calls=wanted)


def whole(*lines: Line, finish_reason: str = "stop") -> list[Line]:
    """An answer that ends as it should."""
    return [piece(role="assistant", content=""), *lines, piece(finish_reason), b"", b"data: [DONE]"]


class StandIn:
    """The server's modules with the hooks in them; `serve` lets it begin anew, with a clock of the test's."""

    def __init__(self, guard: Guard, provider: Provider) -> None:
        self.guard = guard
        self.provider = provider
        self._hooks: HookContext | None = None

    def hook_context(self) -> HookContext | None:
        """As a `HookHost`."""
        return self._hooks

    def module(self, name: str) -> Any:
        """One of the server's modules."""
        return importlib.import_module(name)

    def serve(self, clock: SteppingClock, **settings: Any) -> Server:
        """The wire and the inside of a process that has just started."""
        server = Server(self.guard, clock=clock, **settings)
        state = server.state
        self._hooks = HookContext(server.recording.telemetry, state.exchanges, state.ledger, remote_span)
        return server

    async def connect(self, server: Server) -> Socket:
        """A connection with a session."""
        application = self.module("interactive_server.main").app
        scope = {**SCOPE, "query_string": b"", "root_path": "", "subprotocols": []}
        socket = Socket(server, lambda socket: application(dict(scope), socket.receive, socket.send))
        await socket.open(scope)
        await socket.deliver({"type": "websocket.connect"})
        await socket.deliver(request("startSession", 1, userId="u"))
        return socket


@contextmanager
def hooked() -> Iterator[StandIn]:
    """The stand-in's modules imported and hooked, until the end of the context."""
    provider, guard = Provider(), Guard(strict=True)
    host = StandIn(guard, provider)
    patches = Patches(host)
    with pytest.MonkeyPatch.context() as patch, _imported(patch):
        patch.setattr("requests.post", provider.post)
        patches.apply(TARGETS)
        try:
            yield host
        finally:
            patches.undo()


@contextmanager
def _imported(patch: pytest.MonkeyPatch) -> Iterator[None]:
    patch.syspath_prepend(str(ROOT))
    patch.setenv("OPENROUTER_API_KEY", "key")
    for package in _PACKAGES:
        patch.setattr(logging.getLogger(package), "level", logging.CRITICAL)
    _forget(_PACKAGES)
    try:
        with _logging_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            importlib.import_module("interactive_server.main")
        yield
    finally:
        _forget(_PACKAGES)


@contextmanager
def _logging_kept() -> Iterator[None]:
    """The server's own set-up throws away the handlers that are there."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _forget(packages: Iterable[str]) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] in packages:
            del sys.modules[name]
