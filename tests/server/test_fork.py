"""Processes that are forked, not started: each records on its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import free_port
from tests.serving.folder import Folder
from tests.switching.requests import answer, get
from tests.switching.servers import CONVERSATION, PRELOADED, Recorded, converse, pids_with_spans, running
from tests.switching.ways import STARTUP_FILE, WRAPPER, Way


@pytest.mark.parametrize("way", [STARTUP_FILE, WRAPPER], ids=lambda way: way.name)
@pytest.mark.fault(
    "threads",
    theirs="Workers are forked from an application that was made before",
    promise="What each records is there once",
)
async def test_workers_of_a_preloaded_application(way: Way, tmp_path: Path) -> None:
    """The application is made before the fork; what each child records is there once."""
    folder = Folder(tmp_path)
    port = free_port()
    async with running(way, folder, command=PRELOADED, CHILD_PORT=str(port)) as server:
        await answer(port, "/process")
        pids = {await converse(server.port), await converse(port), await converse(server.port)}
    assert len(pids) == 2
    assert Recorded.of(folder).conversation == sorted(CONVERSATION * 3)
    assert pids_with_spans(folder) == pids


@pytest.mark.fault(
    "threads",
    theirs="A process that serves forks",
    promise="Both go on, each with its own thread and files",
)
async def test_a_fork_of_a_process_that_serves(tmp_path: Path) -> None:
    """Parent and child go on, each with a thread that watches and files of its own."""
    folder = Folder(tmp_path)
    port = free_port()
    async with running(STARTUP_FILE, folder, CHILD_PORT=str(port)) as server:
        parent = await converse(server.port)
        await get(server.port, "/aside/fork")
        child = await answer(port, "/process")
        assert await converse(port) == child != parent
        assert await converse(server.port) == parent
        assert "ailoop-otel-watchdog" in await get(port, "/threads")
        os.kill(child, signal.SIGTERM)
        assert folder.wait(lambda each: len(each.events(names.EVENT_SERVER_STOP)) == 1)
    assert Recorded.of(folder).conversation == sorted(CONVERSATION * 3)
    assert pids_with_spans(folder) == {parent, child}


# What a process measures whether or not anybody chats with it.
OF_ANY_PROCESS = ("process.", "ailoop.process.", "cpython.", "ailoop.event_loop.")


@pytest.mark.parametrize("fast_paths", ["all", "none"])
async def test_a_child_that_never_chats_exports_nothing_of_its_parents(fast_paths: str, tmp_path: Path) -> None:
    """Its open and silent exchanges, sessions, sockets, requests and histograms are all at zero, or not there."""
    folder = Folder(tmp_path / "telemetry")
    port = free_port()
    variables = {
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
        "AILOOP_OTEL_AI_TIMEOUT_STALL": "0.05",
        "AILOOP_OTEL_FAST_PATHS": fast_paths,
        "CHILD_PORT": str(port),
    }
    async with running(STARTUP_FILE, folder, **variables) as server:
        await converse(server.port)
        async with connected(server.port) as client:
            await client.start_session()
            await client.send("wait")
            folder.wait(lambda each: _sums(each).get("ailoop.exchange.silent"))
            await get(server.port, "/aside/fork")
            child = await answer(port, "/process")
            own = Folder(tmp_path / "child")

            def later(_: Folder) -> Any:
                """The child's metrics, once it has measured the request that this test makes of it."""
                shutil.rmtree(own.path, ignore_errors=True)
                own.path.mkdir()
                for file in folder.path.glob(f"metrics-*-{child}-*.jsonl"):
                    shutil.copy(file, own.path)
                return any(name.startswith("http.server") for name in _sums(own))

            folder.wait(later)
            await (await client.another()).call("echo")
        os.kill(child, signal.SIGTERM)
    assert own.resources("metrics") == {"process.pid": {child}, "host.name": {socket.gethostname()}}
    inherited = {name: value for name, value in _sums(own).items() if not name.startswith(OF_ANY_PROCESS)}
    assert inherited.pop("http.server.duration", 1) == 1, "only the test's own request"
    assert {name: value for name, value in inherited.items() if value and not name.startswith("http.")} == {}


def _sums(folder: Folder) -> dict[str, float]:
    """All metrics of a folder, by name: values, or counts of histograms, added up over their labels."""
    found: dict[str, float] = {}
    for metric in folder.metrics():
        points = folder.points(metric)
        found[metric] = sum(float(p.get("count", p.get("asInt", p.get("asDouble", 0)))) for p in points)
    return found
