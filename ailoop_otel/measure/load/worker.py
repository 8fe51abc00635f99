"""A load process: reads commands as JSON lines from standard input, and writes reports to standard output.

    in    {"job": ...}, {"fill": 5, "seconds": 0}, {"segment": ...}, {"end": true}, {"abort": true}
    out   {"rows": [...], "events": [...], "connected": 5, ...}, and in the end {"gaps": ..., "late": ...}

When its input ends, the parent process has ended: the load process cancels all work and ends.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from ailoop_otel.measure.load.checked_table import read
from ailoop_otel.measure.load.generator import LoadGenerator
from ailoop_otel.measure.load.limits import raise_descriptors
from ailoop_otel.measure.load.plan import Segment
from ailoop_otel.measure.load.recorded_load import RecordedLoad
from ailoop_otel.measure.load.scenario import Scenario
from ailoop_otel.measure.results import histograms
from ailoop_otel.protocol.registry import DIALECTS

_BEAT: Final = 0.25


class Worker:
    """Executes the commands with one `LoadGenerator`."""

    def __init__(self, load: LoadGenerator, send: Callable[[dict[str, Any]], None]) -> None:
        self._load = load
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._cpu_time = time.process_time()
        self._reported_at = time.perf_counter()
        self._busy = 0.0
        self._filled = -1

    def execute(self, command: dict[str, Any]) -> None:
        """Execute one command; work that takes time runs as a task."""
        if "fill" in command:
            self._start(self._fill(command["fill"], command["seconds"]))
        elif "segment" in command:
            self._load.begin(Segment(**command["segment"]))
        elif "end" in command:
            self._start(self._end())
        elif "abort" in command:
            self._load.abort()
            self._over.set()

    async def run(self) -> None:
        """Report every `_BEAT` seconds until the end."""
        watching = asyncio.create_task(self._load.beat())
        over = asyncio.create_task(self._over.wait())
        while not over.done():
            await asyncio.wait([over], timeout=_BEAT)
            self._report()
        watching.cancel()
        load = self._load
        self._send({"gaps": histograms.written(load.gaps), "late": load.lag.get_value_at_percentile(99) / 1e6})

    async def _fill(self, count: int, seconds: float) -> None:
        await self._load.fill(count, seconds)
        self._filled = count
        self._report()

    async def _end(self) -> None:
        await self._load.end()
        self._over.set()

    def _report(self) -> None:
        load = self._load
        now, used = time.perf_counter(), time.process_time()
        if now - self._reported_at >= _BEAT / 2:
            self._busy = (used - self._cpu_time) / (now - self._reported_at)
            self._cpu_time, self._reported_at = used, now
        rows, load.rows = load.rows, []
        self._send(
            {
                "rows": rows, "events": load.take_events(), "filled": self._filled, "busy": round(self._busy, 3),
                "connected": load.connected, "opened": load.opened, "waiting": load.waiting, "done": load.done,
                "errors": load.errors, "segment": load.segment.number, "exhausted": load.exhausted,
                "dialect": load.dialect, "unknown_dialect": load.unknown_dialect, "unread": load.unread,
                "refusal": load.refusal, "own_limit": load.own_limit, "problems": DIALECTS.problems(),
            }
        )  # fmt: skip

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def main() -> None:
    """Read the job, then execute commands until the end."""
    job = json.loads(sys.stdin.readline() or "{}").get("job")
    if job is None:
        return
    raise_descriptors()
    scenario = read(Scenario, job["scenario"], "the job")
    kind = LoadGenerator if scenario.recorded is None else RecordedLoad
    load = kind(job["url"], scenario, job["process"], job["origin"])
    worker = Worker(load, _send)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_listen, args=(loop, worker), daemon=True).start()
    # Objects created so far live as long as the process: the garbage collector need not scan them.
    gc.freeze()
    await worker.run()


def _listen(loop: asyncio.AbstractEventLoop, worker: Worker) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(worker.execute, json.loads(line))
    loop.call_soon_threadsafe(worker.execute, {"abort": True})


def _send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
