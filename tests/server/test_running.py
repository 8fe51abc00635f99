"""The server is started in the ways its users start it: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import Server
from tests.serving.folder import Folder
from tests.switching.requests import answer
from tests.switching.servers import (
    CONVERSATION,
    TWICE,
    Recorded,
    all_recorded,
    converse,
    pids_with_spans,
    recorded,
    running,
)
from tests.switching.ways import STARTUP_FILE, WRAPPER, Way

# A worker that does not answer in five seconds, as on a busy machine, would be killed and started again.
HEALTH = ("--timeout-worker-healthcheck", "120")
LOOPS = ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]


async def test_a_main_module_that_is_executed_twice(tmp_path: Path) -> None:
    """Under `python -m` of a package that imports its main module there are two applications, and one serves."""
    for found in (await all_recorded([STARTUP_FILE, WRAPPER], tmp_path, command=TWICE)).values():
        assert found.conversation == CONVERSATION
        assert found.requests == ["GET /health"]


async def test_event_loops(tmp_path: Path) -> None:
    """Both event loops that uvicorn runs on."""
    servers = (recorded(STARTUP_FILE, tmp_path / loop, arguments=["--loop", loop]) for loop in LOOPS)
    found = await asyncio.gather(*servers)
    assert [each.conversation for each in found] == [CONVERSATION for _ in LOOPS]


@pytest.mark.fault(
    "process",
    theirs="The server runs without ASGI's lifespan",
    promise="What ended is exported when the last client has left, or is sent away because the server stops",
)
@pytest.mark.parametrize("stays", [True, False])
async def test_without_a_lifespan(tmp_path: Path, stays: bool) -> None:
    """Under `--lifespan off` SIGTERM loses nothing: not while a client is there, and not after the last has left."""
    folder = Folder(tmp_path)
    async with running(STARTUP_FILE, folder, arguments=["--lifespan", "off"]) as server:
        async with connected(server.port) as client:
            await client.start_session()
            await client.ask("what time is it?")
            if stays:
                await asyncio.to_thread(server.stop)
        if not stays:
            await asyncio.to_thread(server.stop)
    assert Recorded.of(folder).conversation == CONVERSATION


@pytest.mark.fault(
    "threads",
    theirs="Two workers",
    promise="Each records its own messages in its own files; their counts add up",
)
async def test_two_workers_lose_nothing(tmp_path: Path) -> None:
    """Each worker records its own messages in its own files; their counters add up."""
    await asyncio.gather(two_workers(STARTUP_FILE, tmp_path / "1"), two_workers(WRAPPER, tmp_path / "2"))


async def two_workers(way: Way, tmp_path: Path) -> None:
    """Talk to both."""
    folder = Folder(tmp_path / "telemetry")
    async with running(way, folder, arguments=["--workers", "2", *HEALTH]) as server:
        await logged(server, "Application startup complete.", times=2)
        first = await converse(server.port)
        with held(first):
            second = await converse(server.port, messages=2)
        await converse(server.port, messages=3)
    assert first != second
    assert len(folder.spans("sendUserMessage")) == 6
    counts = [of_process(folder, pid, tmp_path) for pid in (first, second)]
    assert all(counts)
    assert sum(counts) == 6
    assert pids_with_spans(folder) == {first, second}


@pytest.mark.fault(
    "process",
    theirs="The code changes under `--reload`",
    promise="What happened before and after is recorded",
)
async def test_a_reload_loses_nothing(tmp_path: Path) -> None:
    """Under `--reload` what happened before and after a change of the code is recorded."""
    code = tmp_path / "code"
    code.mkdir()
    source = code / "source.py"
    source.touch()
    folder = Folder(tmp_path / "telemetry")
    async with running(STARTUP_FILE, folder, arguments=["--reload", "--reload-dir", str(code)]) as server:
        first = await converse(server.port)
        os.utime(source, (time.time() + 10, time.time() + 10))
        second = await answer(server.port, "/process", unlike=first)
        assert await converse(server.port) == second
    assert Recorded.of(folder).conversation == sorted(CONVERSATION * 2)
    assert pids_with_spans(folder) == {first, second}


async def logged(server: Server, words: str, times: int, timeout: float = 20.0) -> None:
    """Wait until a server has logged a text so often."""
    deadline = time.monotonic() + timeout
    while server.output().count(words) < times:
        assert time.monotonic() < deadline, server.output()
        await asyncio.sleep(0.02)


@contextmanager
def held(pid: int) -> Iterator[None]:
    """A process does nothing while the context lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def of_process(folder: Folder, pid: int, scratch: Path) -> int:
    """How many exchanges a process has counted."""
    own = scratch / str(pid)
    own.mkdir(parents=True)
    for file in folder.path.glob(f"*-{pid}-*.jsonl"):
        (own / file.name).hardlink_to(file)
    return sum(int(point["count"]) for point in Folder(own).points(names.METRIC_EXCHANGE_DURATION.name))
