"""One server with exchanges that are slow for known reasons, each beside usual ones of its kind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ailoop_otel import names
from tests.ailoop.client import Client, connected
from tests.ailoop.exchanges import Exchange
from tests.ailoop.process import Installation, Server, serving
from tests.ailoop.provider import Provider
from tests.serving.folder import Folder, Span

USUAL = "say chunks=8 delay=0.05 gap=0.01"
SLOW = 0.6  # seconds, several times what a usual exchange takes
_NUMBER = 7
_LARGE = 60_000  # characters of a prompt
# The server's process: a full heap, and a signal that collects its garbage on the event loop.
_COLLECTING = """
import gc, signal
heap = [[number] for number in range(200_000)]
def collect(*_):
    for _ in range({times}):
        gc.collect()
signal.signal(signal.SIGUSR1, collect)
"""

Case = Callable[["Stage"], Awaitable[None]]


def variables(provided: dict[str, str], folder: Folder, home: Path) -> dict[str, str]:
    """The environment of a server that records into a folder, with what its provider needs."""
    return {
        **provided,
        "AILOOP_OTEL_ENABLED": "true",
        "AILOOP_OTEL_DIRECTORY": str(folder.path),
        "HOME": str(home),
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }


@dataclass
class Stage:
    """A running server, its provider, and two clients of it; `roots` are the staged exchanges by case."""

    server: Server
    provider: Provider
    folder: Folder
    one: Client
    other: Client

    async def ask(self, *answers: str, text: str = "hello", client: Client | None = None) -> Exchange:
        """Send a message that is answered so, and wait for its end."""
        self.provider.queue(*answers)
        return await (client or self.one).ask(text)

    async def usual(self, count: int = _NUMBER) -> None:
        """Exchanges as usual; a person takes a while to answer."""
        for _ in range(count):
            await self.ask(USUAL)
            await asyncio.sleep(0.01)


def call(tool: str, **arguments: object) -> str:
    """A request of the model for a tool."""
    return f"tool name={tool} arguments={json.dumps(arguments)} delay=0"


async def first_chunk(stage: Stage) -> None:
    """The provider is slow to begin."""
    await stage.ask(f"say chunks=8 delay={SLOW} gap=0.01")


async def pace(stage: Stage) -> None:
    """The provider streams slowly."""
    await stage.ask(f"say chunks=8 delay=0.05 gap={SLOW / 7}")


async def tool(stage: Stage) -> None:
    """A tool takes its time, without blocking anybody."""
    await stage.ask(call("system_health_check", seconds=SLOW), USUAL)


async def blocking_tool(stage: Stage) -> None:
    """A tool blocks the event loop."""
    await stage.ask(call("execute_command", command=f"sleep {SLOW}"), USUAL)


async def frozen(stage: Stage) -> None:
    """The tool of another session blocks the event loop in the middle of the answer."""
    stage.provider.queue("say chunks=8 delay=0.05 gap=0.03", call("execute_command", command=f"sleep {SLOW}"), USUAL)
    held = await stage.one.send("hello")
    await held.started()
    blocking = await stage.other.send("look")
    await held.done()
    await blocking.done()


async def queued(stage: Stage) -> None:
    """A message that is sent while the one before it is answered."""
    stage.provider.queue(f"say chunks=8 delay=0.05 gap={SLOW / 7}", USUAL)
    before = await stage.one.send("hello")
    waiting = await stage.one.send("hello again")
    await before.done()
    await waiting.done()


async def repeated(stage: Stage) -> None:
    """The provider asks for patience, and the user sends the message again."""
    await stage.ask("fail status=429 delay=0.3")
    await stage.ask(USUAL)


async def prompt(stage: Stage) -> None:
    """A huge prompt, which the provider takes long to read."""
    await stage.ask(f"say chunks=8 delay={SLOW} gap=0.01", text="z" * _LARGE)


async def frames(stage: Stage) -> None:
    """A long answer, all of which each frame repeats."""
    await stage.ask("say chunks=900 delay=0.05 size=200")


async def garbage_collection(stage: Stage) -> None:
    """Garbage collection stops the server in the middle of the answer."""
    stage.provider.queue("say chunks=8 delay=0.05 gap=0.03")
    exchange = await stage.one.send("hello")
    await exchange.started()
    os.kill(stage.server.pid, signal.SIGUSR1)
    await exchange.done()


CASES: tuple[Case, ...] = (
    first_chunk, pace, tool, blocking_tool, frozen, queued, repeated, frames, garbage_collection, prompt
)  # fmt: skip


async def play(
    installation: Installation,
    provider: Provider,
    variables: dict[str, str],
    folder: Folder,
    site: Path,
    cases: Sequence[Case],
) -> dict[str, str]:
    """Play cases on one server; returns the trace of each, by the name of its case."""
    site.mkdir()
    (site / "sitecustomize.py").write_text(_COLLECTING.format(times=20))
    path = os.pathsep.join(filter(None, [str(site), variables.get("PYTHONPATH", "")]))
    traces = {}
    with serving(installation, {**variables, "PYTHONPATH": path}) as server:
        async with connected(server.port, server.dialect) as one, connected(server.port, server.dialect) as other:
            stage = Stage(server, provider, folder, one, other)
            session = await one.start_session()
            await other.start_session()
            await stage.usual(2 * _NUMBER)
            for case in cases:
                before = len(_roots(folder, session))
                await case(stage)
                done = len([exchange for exchange in one.exchanges if exchange.completed])
                roots = await asyncio.to_thread(folder.wait, partial(_roots, session=session, count=done))
                assert len(roots) > before
                traces[case.__name__] = roots[-1].trace
                await stage.usual(2)
    return traces


def _roots(folder: Folder, session: str, count: int = 0) -> list[Span]:
    """The exchanges of a session, if there are so many."""
    roots = [root for root in folder.spans("sendUserMessage") if root.attributes.get(names.SESSION_ID) == session]
    return roots if len(roots) >= count else []
