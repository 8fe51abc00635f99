"""Exchanges one after the other on one connection: the CPU that one costs, and whether all came through."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from typing import Any

from tests.benchmarks.inside import script
from tests.benchmarks.inside.contender import Contender, Taken

_WARM_UP = 5


class Watch:
    """CPU time of the whole process, its other threads' included, and time on the wall; nanoseconds."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0

    def start(self) -> None:
        """From here on."""
        gc.collect()
        self.wall -= time.perf_counter_ns()
        self.cpu -= time.process_time_ns()

    def stop(self) -> None:
        """Up to here."""
        self.cpu += time.process_time_ns()
        self.wall += time.perf_counter_ns()


def run(contender: Contender, exchanges: int, chunks: int, read: bool = True) -> dict[str, Any]:
    """Hold `exchanges` exchanges of `chunks` chunks; costs are per exchange.

    Until all spans are encoded counts, so that nothing is put off; handshake, session and the first exchanges do not.
    Nor does it count to read what came out, which is left where all that the process does is counted.
    """
    contender.spans()
    contender.drop()
    streamed = script.answer(chunks)
    steps = [script.start(), *(script.message(number, streamed) for number in range(_WARM_UP + exchanges))]
    watch = Watch()

    def begin() -> None:
        contender.spans()
        contender.drop()
        watch.start()

    def end() -> None:
        contender.spans()
        watch.stop()
        if read:
            timed.append(contender.take())
        else:
            contender.drop()

    timed: list[Taken] = [] if read else [Taken()]
    socket = script.Socket(steps, {1 + _WARM_UP: begin, len(steps): end})
    asyncio.run(contender.around(socket.application)(script.scope(), socket.receive, socket.send))
    began = time.process_time_ns()
    contender.metrics()
    collection = time.process_time_ns() - began
    last = contender.take()
    expected = 1 + sum(len(frames) for _, frames in steps)
    return {
        "cpu": watch.cpu / exchanges,
        "wall": watch.wall / exchanges,
        "spans": {name: count / exchanges for name, count in sorted(timed[0].spans.items())},
        "shapes": sorted(timed[0].shapes),
        "points": dict(last.points),
        "collection": collection,
        "faults": last.faults,
        "frames": socket.sent == expected and intact(contender, streamed),
    }


def intact(contender: Contender, streamed: Sequence[str]) -> bool:
    """Whether an exchange's frames reach the client as the server sent them, in their order."""
    steps = [script.start(), script.message(1, streamed)]
    socket = script.Socket(steps)
    socket.kept = []
    asyncio.run(contender.around(socket.application)(script.scope(), socket.receive, socket.send))
    return socket.kept == [None, *(frame for _, frames in steps for frame in frames)]
