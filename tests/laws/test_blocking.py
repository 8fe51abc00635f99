"""Nothing of ours makes the event loop wait: held against a whole process, with files, threads and all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockingError

from ailoop_otel import names
from ailoop_otel.guard import Guard
from ailoop_otel.recording.telemetry import Telemetry
from ailoop_otel.runtime import Runtime
from tests.scripted import Server, chunk, request, status, update
from tests.wire.talk import acknowledged, delegates, message, refused, stateless, streamed


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """A whole process, which writes files; set up before there is an event loop."""
    monkeypatch.setenv(names.SETTING_DIRECTORY.name, str(tmp_path))
    monkeypatch.setenv(names.SETTING_FIRST_CHUNK.name, "0.05")
    runtime = Runtime(Guard(strict=True))
    runtime._set_up()
    yield runtime
    runtime.switch_off()


class Whole(Server):
    """That process, where the tests have their own."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self.guard = runtime.guard
        self.wire = runtime.wire  # type: ignore[method-assign, assignment]


@pytest.mark.fault(
    "foreign",
    ours="Locks, files and sleeps on the event loop",
    promise="None of ours makes it wait",
)
async def test_no_conversation_waits_for_us(runtime: Runtime, tmp_path: Path) -> None:
    """Answers, failures, timeouts that the thread tells, clients that leave."""
    server = Whole(runtime)
    for number in range(20):
        talk = await stateless(f"stateless-{number}", server)
        await talk.say(message(1), *streamed(1, "a", "b"))
        await talk.say(message(2), refused(2, -32603))
        await talk.say(message(3), update("a"))
        await talk.leave(1006)
        other = await delegates(f"delegates-{number}", server)
        await other.say(message(1), acknowledged(1), chunk("a"), status(3, "timeout"))
        await other.say(request("echo", 2))
        await other.say(message(3), acknowledged(3))
        await asyncio.sleep(0.1 if number == 0 else 0)
        await other.leave(1012)
    assert runtime._pipeline is not None
    await asyncio.to_thread(runtime._pipeline.flush)
    assert runtime.guard.errors == 0
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.jsonl"))
    for name in ("sendUserMessage", names.SPAN_AI_TIMEOUT, names.SPAN_SESSION, names.EVENT_SESSION_END):
        assert name in written


async def test_what_waits_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else the test above says nothing."""

    def slow(_: Telemetry) -> int:
        time.sleep(0)
        return 0

    talk = await stateless()
    monkeypatch.setattr(Telemetry, "offset", slow)
    await talk.say(message(1))
    assert talk.socket.task is not None
    with pytest.raises(BlockingError):
        await talk.socket.task
