"""Many sessions in one process: what each holds, at rest and with an exchange open, and what an exchange costs."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Sequence
from typing import Any

from tests.benchmarks.inside import script
from tests.benchmarks.inside.contender import Contender
from tests.benchmarks.inside.works.exchanges import Watch


class Line(script.Socket):
    """A connection that waits for its client between two messages, as most do most of the time."""

    def __init__(self, session: str) -> None:
        super().__init__(())
        self.session = session
        self._inbox: asyncio.Future[script.Step] | None = None
        self._connected = False
        self.heard = 0  # when the latest message was handed over, ns since the epoch
        self.task: asyncio.Task[None] | None = None

    async def receive(self) -> dict[str, Any]:
        """The client's next message, when it comes."""
        if not self._connected:
            self._connected = True
            return script.CONNECT
        self._inbox = asyncio.get_running_loop().create_future()
        received, self.frames = await self._inbox
        self._inbox = None
        self.heard = time.time_ns()
        return received

    def say(self, step: script.Step) -> None:
        """The client says something; the server answers as soon as the loop lets it."""
        assert self._inbox is not None
        self._inbox.set_result(step)


async def gather(contender: Contender, number: int) -> list[Line]:
    """Connect, each with a session of its own."""
    lines = [Line(f"{each:08x}-89ab-cdef-0123-456789abcdef") for each in range(number)]
    for line in lines:
        served = contender.around(line.application)(script.scope(), line.receive, line.send)
        line.task = asyncio.create_task(served)
    await settle()
    for line in lines:
        line.say(script.start(line.session))
    await settle()
    return lines


async def settle() -> None:
    """Until all that is ready has run."""
    for _ in range(4):
        await asyncio.sleep(0)


async def part(lines: Sequence[Line]) -> None:
    """All clients leave."""
    for line in lines:
        line.say((script.DISCONNECT, ()))
    await asyncio.gather(*(line.task for line in lines if line.task is not None))


class Crowd:
    """The connections of this process, kept from one piece of work to the next."""

    loop: asyncio.AbstractEventLoop | None = None
    lines: Sequence[Line] = ()
    spoken = 0


def run(contender: Contender, sessions: int, exchanges: int = 0, chunks: int = 100) -> dict[str, Any]:
    """Connect `sessions` and hold `exchanges` exchanges, evenly over them; without any, weigh the sessions.

    Connected once: the next exchanges are on the same connections, but not those that spoke last.
    """
    if Crowd.loop is None:
        Crowd.loop = asyncio.new_event_loop()
    work = _cost(contender, sessions, exchanges, chunks) if exchanges else _weigh(contender, sessions)
    return Crowd.loop.run_until_complete(work)


async def _weigh(contender: Contender, sessions: int) -> dict[str, Any]:
    await part(await gather(contender, 10))
    _rest(contender)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    lines = await gather(contender, sessions)
    resting = _rest(contender) - before
    # A message and the first chunk of its answer: the exchange is open.
    for line in lines:
        line.say((script.message(1, (), line.session)[0], (script.update("answer", line.session),)))
    await settle()
    contender.spans()
    spans = contender.take().spans
    opened = _rest(contender) - before
    tracemalloc.stop()
    await part(lines)
    frames = all(line.sent == 5 for line in lines)
    return {"rest": resting / sessions, "open": opened / sessions, "frames": frames, "spans": dict(spans)}


def _rest(contender: Contender) -> int:
    contender.spans()
    contender.metrics()
    contender.take()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def _cost(contender: Contender, sessions: int, exchanges: int, chunks: int) -> dict[str, Any]:
    if not Crowd.lines:
        Crowd.lines = await gather(contender, sessions)
    lines = Crowd.lines
    step = max(1, sessions // exchanges)
    speakers = [lines[(Crowd.spoken + number * step) % sessions] for number in range(exchanges)]
    Crowd.spoken += 1
    said = {line.session: script.message(1, script.answer(chunks, line.session), line.session) for line in speakers}
    before = sum(line.sent for line in lines)
    contender.spans()
    contender.take()
    watch = Watch()
    watch.start()
    for line in speakers:
        line.say(said[line.session])
        await settle()
    contender.spans()
    watch.stop()
    spans = contender.take().spans
    arrived = sum(line.sent for line in lines) - before
    return {
        "cpu": watch.cpu / exchanges,
        "spans": {name: count / exchanges for name, count in sorted(spans.items())},
        "frames": arrived == exchanges * len(said[speakers[0].session][1]),
    }
