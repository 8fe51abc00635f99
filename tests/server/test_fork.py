"""Processes that are forked, not started: each records on its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ailoop_otel import names
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
