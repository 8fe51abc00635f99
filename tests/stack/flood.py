"""Many messages at a steady rate over many sessions, and what each program took for them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect

from collector.stack import Program
from tests.ailoop.process import LOOPBACK
from tests.stack.backends import Jaeger

MESSAGES = 10_000
ROOT = "sendUserMessage"
MOST = 10 * MESSAGES  # traces of one service, sessions' included
CLIENTS = 20
# A session's whole history goes to the model with each message: long ones would be a test of that.
TURNS = 20
SHIPPED = Path(__file__).parent.parent.parent / "collector" / "ailoop.env"


def shipped_environment(endpoint: str, service: str) -> dict[str, str]:
    """What collector/ailoop.env says, with another endpoint and a service name of the test's own."""
    lines = (line.partition("=") for line in SHIPPED.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines} | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_SERVICE_NAME": service,
    }


@contextmanager
def provider_process(default: str) -> Iterator[dict[str, str]]:
    """A scripted provider in a process of its own; gives the variables for the stand-in."""
    command = [sys.executable, "-m", "tests.ailoop.provider", "--default", default]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["plain_environment"]
        finally:
            process.terminate()


async def flood(port: int, messages: int, rate: float | None = None) -> float:
    """Send so many messages by 20 clients, `rate` a second in all or as fast as they are answered.

    Returns the rate that was reached. Every message is answered, or ConnectionError.
    """
    begun = time.perf_counter()
    each = messages // CLIENTS
    interval = CLIENTS / rate if rate else 0.0
    await asyncio.gather(*(_client(port, each, interval, begun + n * interval / CLIENTS) for n in range(CLIENTS)))
    return each * CLIENTS / (time.perf_counter() - begun)


async def _client(port: int, messages: int, interval: float, begin: float) -> None:
    """Send messages in sessions of 20 turns, each at its time."""
    async with connect(f"ws://{LOOPBACK}:{port}/ws", max_size=None, ping_interval=None, proxy=None) as socket:
        calls = count()
        for done in range(0, messages, TURNS):
            started = await _call(socket, next(calls), "startSession", {"userId": "flood"})
            session = started["result"]["sessionId"]
            for number in range(done, min(done + TURNS, messages)):
                await asyncio.sleep(max(0.0, begin + number * interval - time.perf_counter()))
                await _call(socket, next(calls), "sendUserMessage", {"sessionId": session, "message": "go on"})
            await _call(socket, next(calls), "stopSession", {"sessionId": session})


async def _call(socket: ClientConnection, id: int, method: str, params: Mapping[str, str]) -> dict[str, Any]:
    await socket.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    async for text in socket:
        frame: dict[str, Any] = json.loads(text)
        if frame.get("id") == id:
            return frame
    raise ConnectionError(f"closed before {method} {id} was answered")


def arrived(jaeger: Jaeger, service: str) -> Counter[str]:
    """How many spans of each name a service has in Jaeger, by its first word.

    Fails if there is one span twice.
    """
    names: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    for trace in jaeger.search(service, limit=MOST, lookback="1h"):
        for span in trace:
            assert (span.trace, span.id) not in seen, f"{span.name} is there twice"
            seen.add((span.trace, span.id))
            names[span.name.split()[0]] += 1
    return names


class Costs:
    """CPU seconds and the most memory of some processes between two moments."""

    def __init__(self, programs: Mapping[str, int | None]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in programs.items()}
        self._before = {name: _cpu(process) for name, process in self._processes.items()}

    def table(self, messages: int) -> str:
        """One line a process: CPU seconds, CPU for a message, resident memory now."""
        lines = []
        for name, process in self._processes.items():
            spent = _cpu(process) - self._before[name]
            memory = process.memory_info().rss / 2**20
            lines.append(
                f"  {name:<10} {spent:7.1f} s CPU  {spent / messages * 1e3:6.2f} ms a message  {memory:6.0f} MiB"
            )
        return "\n".join(lines)


def pids(programs: list[Program]) -> dict[str, int | None]:
    """The programs' names and processes."""
    return {program.name: program.pid for program in programs}


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
