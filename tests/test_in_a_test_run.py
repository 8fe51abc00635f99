"""What is switched on in a test run that takes warnings for errors, as AILoop's earlier generation does."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.switching.servers import ROOT
from tests.switching.ways import ALL, WAYS, Way

TEST = """
import asyncio

from tests.switching.steps import build


def test_with_the_application():
    import ailoop_otel

    app = build()

    async def start():
        seen = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
        told = []

        async def receive():
            return next(seen)

        async def send(message):
            told.append(message["type"])

        await app({"type": "lifespan"}, receive, send)
        return told

    assert asyncio.run(start()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
"""
OFF = Way("switched off", variables={"AILOOP_OTEL_ENABLED": "false"})
CASES = (OFF, *WAYS, ALL)


async def failed(way: Way, folder: Path, turns: asyncio.Semaphore) -> str:
    """What a run of one test prints that fails; "" for one that passes."""
    folder.mkdir()
    (folder / "test_it.py").write_text(TEST, encoding="utf-8")
    # FastAPI's instrumentor, which `opentelemetry-instrument` finds here, imports anyio, a plugin of pytest's as well.
    others = "ignore:Module already imported so cannot be rewritten; anyio"
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-W", others, "-p", "no:asyncio"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AILOOP_", "PYTEST"))}
    variables = {"STEPS": way.steps, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **way.variables}
    async with turns:
        process = await asyncio.create_subprocess_exec(
            *way.wrapper, *command,
            cwd=folder, env=plain | variables,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        printed, _ = await asyncio.wait_for(process.communicate(), 120)
    return "" if process.returncode == 0 else printed.decode()


async def test_no_way_of_switching_on_makes_a_warning(tmp_path: Path) -> None:
    """Each way, all together, and switched off by a variable that is set."""
    turns = asyncio.Semaphore(2)
    found = await asyncio.gather(*(failed(way, tmp_path / str(n), turns) for n, way in enumerate(CASES)))
    assert {way.name: each for way, each in zip(CASES, found, strict=True) if each} == {}
