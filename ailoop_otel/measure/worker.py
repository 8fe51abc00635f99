"""A load process: takes orders as JSON lines from its standard input, and tells what happens on its standard output.

    in    {"job": ...}, {"fill": 5}, {"stage": ...}, {"end": true}
    out   {"filled": 5}, {"beat": ...}, {"rows": [...]}, {"over": ...}

When its input ends, whoever started it is gone or wants no more: it drops everything and ends.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from ailoop_otel.measure import histograms
from ailoop_otel.measure.load import Load
from ailoop_otel.measure.scenario import Prompt, Ramp, Scenario, Stable
from ailoop_otel.measure.stage import Job, Stage
from ailoop_otel.protocol.registry import DIALECTS

_BEAT: Final = 0.25


def packed(scenario: Scenario) -> dict[str, Any]:
    """A scenario as JSON."""
    return dataclasses.asdict(scenario)


def unpacked(document: dict[str, Any]) -> Scenario:
    """A scenario from what `packed` made of it."""
    ramp = document["ramp"]
    return Scenario(
        **{
            **document,
            "ramp": None if ramp is None else Ramp(**ramp),
            "stable": Stable(**document["stable"]),
            "messages": tuple(Prompt(**each) for each in document["messages"]),
        }
    )


class Worker:
    """Carries out the orders with one `Load`."""

    def __init__(self, load: Load, tell: Callable[[dict[str, Any]], None]) -> None:
        self._load = load
        self._tell = tell
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._used = time.process_time()
        self._looked = time.perf_counter()
        self._busy = 0.0

    def take(self, order: dict[str, Any]) -> None:
        """Do as one order says."""
        if "fill" in order:
            self._go(self._fill(order["fill"]))
        elif "stage" in order:
            self._load.begin(Stage(**order["stage"]))
        elif "end" in order:
            self._go(self._end())
        elif "abort" in order:
            self._load.abort()
            self._over.set()

    async def run(self) -> None:
        """Tell how it goes until it is over."""
        watching = asyncio.create_task(self._load.beat())
        over = asyncio.create_task(self._over.wait())
        while not over.done():
            await asyncio.wait([over], timeout=_BEAT)
            self._report()
        watching.cancel()
        load = self._load
        self._tell({"over": {"gaps": histograms.written(load.gaps), "lag": histograms.written(load.lag)}})

    async def _fill(self, count: int) -> None:
        await self._load.fill(count)
        # First what came of it: whoever hears that it is done looks at that.
        self._report()
        self._tell({"filled": count})

    async def _end(self) -> None:
        await self._load.end()
        self._over.set()

    def _report(self) -> None:
        load = self._load
        now, used = time.perf_counter(), time.process_time()
        if now - self._looked >= _BEAT / 2:
            self._busy = (used - self._used) / (now - self._looked)
            self._used, self._looked = used, now
        rows, load.rows = load.rows, []
        if rows:
            self._tell({"rows": rows})
        self._tell(
            {
                "beat": {
                    "at": now, "connected": load.connected, "opened": load.opened, "waiting": load.waiting,
                    "planned": load.planned, "done": load.done, "errors": load.errors, "spent": load.spent,
                    "busy": round(self._busy, 3), "dialect": load.dialect, "stranger": load.stranger,
                    "stage": load.stage, "refusal": load.refusal, "problems": DIALECTS.problems(),
                    "events": load.follow(),
                }
            }
        )  # fmt: skip

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def main() -> None:
    """Work until it is over."""
    job = json.loads(sys.stdin.readline() or "{}").get("job")
    if job is None:
        return
    load = Load(Job(job["url"], unpacked(job["scenario"]), job["process"], job["origin"]))
    worker = Worker(load, _tell)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_listen, args=(loop, worker), daemon=True).start()
    # What was made up to here lives as long as the process: no collection needs to look at it.
    gc.freeze()
    await worker.run()


def _listen(loop: asyncio.AbstractEventLoop, worker: Worker) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(worker.take, json.loads(line))
    loop.call_soon_threadsafe(worker.take, {"abort": True})


def _tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
