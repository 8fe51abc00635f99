"""Instructions that the real server takes for an exchange, and when nobody talks; counted by valgrind's callgrind.

Under callgrind the clock runs fifty times too fast for the server. What is done at intervals would weigh as much too
much, so the intervals are long while exchanges are counted, and the idle server is counted apart, as it comes.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ailoop.client import Client, connected
from tests.ailoop.process import Server
from tests.benchmarks.measured import Failed
from tests.benchmarks.serving.load import MESSAGE, is_whole
from tests.benchmarks.serving.variants import Place, Variant

# What is done once in a while is not done while exchanges are counted, but for the export of their spans.
INTERVALS: Mapping[str, str] = {
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
    "OTEL_BSP_SCHEDULE_DELAY": "2000",
    "OTEL_BLRP_SCHEDULE_DELAY": "2000",
    "DD_TRACE_WRITER_INTERVAL_SECONDS": "2",
}
_EXPORTED = 5.0  # seconds after which all spans of a part have been exported
_PATIENCE = 300.0  # seconds, for a start and for an exchange
_OUTPUT = "callgrind.out"


@dataclass(frozen=True)
class Counted:
    """Instructions of an exchange in each part of the count, those of a second of rest, and bytes of spans recorded.

    `seconds` is what an exchange took on the wall in each part, its share of the rest behind it included.
    """

    exchanges: tuple[float, ...]
    idle: float
    recorded: int
    whole: bool
    seconds: tuple[float, ...] = ()


def count(place: Place, variant: Variant, parts: int, each: int, rest: float) -> Counted:
    """Count `parts` times `each` exchanges of 100 chunks, one after the other; each part holds the export of its spans.

    Instructions of `rest` seconds in which nobody talks are counted behind them; as much is taken off each second.
    """
    with _counting(place, variant, INTERVALS) as (server, counter):
        return asyncio.run(_count(place, variant, server, counter, parts, each, rest))


def idle(place: Place, variant: Variant, seconds: float) -> float:
    """Instructions per second of a server that has answered a few messages, its client still there; all as it comes."""
    with _counting(place, variant, {}) as (server, counter):
        return asyncio.run(_idle(server, counter, seconds))


class Counter:
    """Callgrind's counters of a running process that was started by `Counter.command`."""

    def __init__(self, pid: int, output: Path) -> None:
        self._pid = pid
        self._output = output
        self._dumped = 0
        self._since = 0.0

    @staticmethod
    def command(output: Path) -> list[str]:
        """What stands before the process's own command."""
        return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", "--instr-atstart=no"]

    def switch_on(self) -> None:
        """Begin to count; until then the process runs ten times faster."""
        self._control("--instr=on")

    def restart(self) -> None:
        """From zero, from now."""
        self._control("--zero")
        self._since = time.monotonic()

    def read(self) -> tuple[int, float]:
        """Instructions since the last time, and the seconds that took."""
        self._control("--dump")
        self._dumped += 1
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        found = re.search(r"^(?:totals|summary): (\d+)", self._dump(), re.MULTILINE)
        if not found:
            raise Failed("valgrind counted nothing")
        return int(found.group(1)), seconds

    def _dump(self) -> str:
        return self._output.with_name(f"{self._output.name}.{self._dumped}").read_text()

    def _control(self, command: str) -> None:
        done = subprocess.run(
            ["callgrind_control", command, str(self._pid)], capture_output=True, text=True, timeout=_PATIENCE
        )
        if done.returncode or "Error" in done.stdout + done.stderr:
            raise Failed(f"callgrind_control {command}: {(done.stderr or done.stdout).strip()[-200:]}")


@contextmanager
def _counting(place: Place, variant: Variant, added: Mapping[str, str]) -> Iterator[tuple[Server, Counter]]:
    def under(folder: Path) -> list[str]:
        return Counter.command(folder / _OUTPUT)

    with place.running(variant, added, under, _PATIENCE) as server:
        try:
            yield server, Counter(server.pid, place.folder_of(variant) / _OUTPUT)
        finally:
            # Its end under callgrind takes long, and nobody looks at it.
            server.kill()


async def _count(
    place: Place, variant: Variant, server: Server, counter: Counter, parts: int, each: int, rest: float
) -> Counted:
    counted, whole = [], True
    async with connected(server.port, server.dialect) as client:
        await _warm_up(client, counter)
        await asyncio.sleep(_EXPORTED)
        before = place.recorded(variant)
        counter.restart()
        for _ in range(parts):
            whole = await _hold(client, each) and whole
            await asyncio.sleep(_EXPORTED)
            counted.append(counter.read())
        recorded = place.recorded(variant) - before
        counter.restart()
        await asyncio.sleep(rest)
        instructions, seconds = counter.read()
    a_second = instructions / seconds
    of_each = tuple((spent - a_second * took) / each for spent, took in counted)
    return Counted(of_each, a_second, recorded, whole, tuple(took / each for _, took in counted))


async def _idle(server: Server, counter: Counter, seconds: float) -> float:
    async with connected(server.port, server.dialect) as client:
        await _warm_up(client, counter)
        await asyncio.sleep(_EXPORTED)
        counter.restart()
        await asyncio.sleep(seconds)
        instructions, took = counter.read()
    return instructions / took


async def _warm_up(client: Client, counter: Counter) -> None:
    await client.start_session()
    await _hold(client, 3)
    counter.switch_on()
    await _hold(client, 2)


async def _hold(client: Client, number: int) -> bool:
    held = [await client.ask(MESSAGE, timeout=_PATIENCE) for _ in range(number)]
    return all(is_whole(exchange) for exchange in held)
