"""Records what the documentation shows: some minutes of an AILoop server, as its own files, compressed.

python -m tests.docs.record [--checkout DIR --python INTERPRETER]

Without a checkout the stand-in of the current generation answers; the files that are committed are of the real server.
All that the pages print of a recording is made from these files, so that it is the same on every machine.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.ailoop.client import Client, connected
from tests.ailoop.process import STATELESS, checkout, serving, standin
from tests.ailoop.provider import Provider
from tests.demo.conversations import CONVERSATIONS, hold

RECORDING: Final = Path(__file__).parent / "recording"
_ROOT: Final = Path(__file__).parent.parent.parent
_USERS: Final = 6
_TURNS: Final = 4
_SLEEP: Final = '[[tool name=execute_command arguments={"command": "sleep 1.5"} delay=0.1]]'


async def _usual(port: int, number: int) -> None:
    """A user whose answers come as they should."""
    async with connected(port, STATELESS) as client:
        await client.start_session()
        for turn in range(_TURNS):
            delay = 0.12 + 0.03 * ((number + turn) % 5)
            await client.ask(f"question {turn} [[say chunks={10 + 4 * turn} delay={delay} gap=0.02]]")
        await client.stop_session()


async def _slow_provider(client: Client) -> None:
    await client.ask("hard [[say chunks=14 delay=2.4 gap=0.02]]")


async def _slow_pace(client: Client) -> None:
    await client.ask("long [[say chunks=30 delay=0.2 gap=0.12]]")


async def _slow_tool(client: Client) -> None:
    """A tool that blocks the server's event loop."""
    await client.ask(f"run it {_SLEEP} [[say chunks=8 delay=0.15 gap=0.02]]")


async def _beside(client: Client) -> None:
    """An answer that streams while another session's tool blocks the event loop."""
    await client.ask("meanwhile [[say chunks=30 delay=0.2 gap=0.02]]")


async def _forgotten(port: int) -> None:
    """A client that leaves without ending its session."""
    async with connected(port, STATELESS) as client:
        await client.start_session()
        await client.ask("bye [[say chunks=6 delay=0.15 gap=0.02]]")


async def _alone(port: int, drive: Callable[[Client], Awaitable[None]]) -> None:
    async with connected(port, STATELESS) as client:
        await client.start_session()
        await drive(client)
        await client.stop_session()


async def _all(port: int) -> None:
    await asyncio.gather(*(_usual(port, number) for number in range(_USERS)))
    for drive in (_slow_provider, _slow_pace):
        await _alone(port, drive)
    await asyncio.gather(*(_alone(port, each) for each in (_slow_tool, _beside)))
    await asyncio.gather(*(hold(each, port) for each in CONVERSATIONS))
    for _ in range(3):
        await _forgotten(port)


def main() -> None:
    """Start provider and server, hold the conversations, keep the files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkout", default="")
    parser.add_argument("--python", default=sys.executable)
    chosen = parser.parse_args()
    server = checkout(chosen.checkout, chosen.python) if chosen.checkout else standin(STATELESS)
    with TemporaryDirectory() as folder, Provider() as provider:
        variables = {
            "AILOOP_OTEL_ENABLED": "true",
            "AILOOP_OTEL_DIRECTORY": folder,
            "AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK": "1.5",
            "AILOOP_OTEL_AI_TIMEOUT_STALL": "1",
            "PYTHONPATH": str(_ROOT),
            "HOME": folder,
        }
        reached = provider.environment() if chosen.checkout else provider.plain_environment()
        with serving(server, reached | variables) as running:
            asyncio.run(_all(running.port))
            provider.release()
            running.stop()
        shutil.rmtree(RECORDING, ignore_errors=True)
        RECORDING.mkdir()
        for file in sorted(Path(folder).glob("*.jsonl")):
            # Neither name nor time in the header: the same content gives the same bytes.
            kept = RECORDING / f"{file.name.partition('-')[0]}-{file.name.partition('-')[2]}.gz"
            kept.write_bytes(gzip.compress(file.read_bytes(), mtime=0))
            print(kept.name, os.path.getsize(kept))  # noqa: T201 - a command prints


if __name__ == "__main__":
    main()
