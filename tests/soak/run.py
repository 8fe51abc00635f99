"""One soak: two servers under the same sessions, one of them with the package; its collector goes away twice."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from ailoop_otel import names
from tests.ailoop.process import Server, serving, standin
from tests.benchmarks.serving.load import provider
from tests.soak.result import SESSIONS_A_SECOND, Sample, Soak
from tests.soak.sessions import hold
from tests.soak.sink import ROOT, Sink, Taken

# Parts of the time in which nobody listens at the collector's address, and in which it answers 503.
DOWN, REFUSES = (0.25, 0.4), (0.6, 0.75)
SETTINGS = {
    "AILOOP_OTEL_ENABLED": "true",
    "AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK": "1",
    "AILOOP_OTEL_AI_TIMEOUT_STALL": "1",
    "OTEL_METRIC_EXPORT_INTERVAL": "5000",
}
CENSUS = "census.txt"
WARM_UP = 20  # sessions: modules that are imported late, threads that are made once
_SAMPLES = 150
_REPOSITORY = Path(__file__).parents[2]


def soak(seconds: float, folder: Path) -> Soak:
    """Run one; what waits for the collector is in `folder`."""
    return asyncio.run(_soak(Soak(seconds), folder))


async def _soak(found: Soak, folder: Path) -> Soak:
    taken = Taken()
    sink = Sink(taken)
    variables = {**SETTINGS, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "AILOOP_OTEL_DIRECTORY": str(folder)}
    with provider() as about, _served({**about["plain_environment"], **variables}, folder / CENSUS) as server:
        with _served(about["plain_environment"], folder / f"without-{CENSUS}") as without:
            sink = await _observed(found, (server, without), about["url"], sink, folder)
        await asyncio.to_thread(server.stop, signal.SIGTERM)
        found.complaints = [line for line in server.output().splitlines() if "ailoop-otel" in line]
    sink.close()
    found.delivered, found.repeated, found.spans = len(taken.roots), taken.repeated, taken.spans
    found.kept = len(_kept(folder) - taken.roots)
    found.lost = int(taken.metrics.get(names.METRIC_DROPPED.name, 0))
    found.outcomes, found.metrics = dict(taken.outcomes), taken.metrics
    return found


async def _observed(found: Soak, servers: tuple[Server, Server], provider_url: str, sink: Sink, folder: Path) -> Sink:
    """Hold the sessions with both servers and note what is seen meanwhile; returns the collector that is there now."""
    server, without = servers
    releasing = asyncio.create_task(_release(provider_url))
    warm, _ = await asyncio.gather(*(hold(each, WARM_UP, 5.0, seed=0) for each in servers))
    await _settled(sink.taken, folder, warm["messages"])
    found.alive_before = await _census(server, folder / CENSUS, 1)
    sampling = asyncio.create_task(_sample(found, servers, folder, sink.taken))
    away = asyncio.create_task(_outages(sink, found.seconds))
    number = round(found.seconds * SESSIONS_A_SECOND)
    counts, _ = await asyncio.gather(*(hold(each, number, found.seconds, seed=1) for each in servers))
    sink = await away
    found.made = warm["messages"] + counts["messages"]
    found.sessions = counts["sessions"]
    found.ends = {name: count for name, count in counts.items() if name not in ("messages", "sessions")}
    await _settled(sink.taken, folder, found.made)
    sampling.cancel()
    found.alive_after = await _census(server, folder / CENSUS, 2)
    releasing.cancel()
    return sink


@contextmanager
def _served(variables: dict[str, str], census: Path) -> Iterator[Server]:
    """The stand-in, which tells what is alive in it."""
    plain = standin("stateless")
    command = (sys.executable, "-m", "tests.soak.served", str(plain.root), str(census), "--port")
    installation = dataclasses.replace(plain, root=_REPOSITORY, command=command)
    with serving(installation, variables) as server:
        yield server


async def _release(url: str) -> None:
    """Let what hangs at the provider go on, and have it forget what it has served, every two seconds."""
    address = f"{url.partition('/api/')[0]}/forget"
    request = urllib.request.Request(address, b"{}", {"Content-Type": "application/json"}, method="POST")
    while True:
        await asyncio.sleep(2)
        await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=10).close())


async def _outages(sink: Sink, seconds: float) -> Sink:
    """Take the collector away for a time, and later have it refuse; returns the one that is there afterwards."""
    begun = time.monotonic()
    port = int(sink.url.rpartition(":")[2])

    async def until(part: float) -> None:
        await asyncio.sleep(max(0.0, begun + part * seconds - time.monotonic()))

    await until(DOWN[0])
    await asyncio.to_thread(sink.close)
    await until(DOWN[1])
    sink = Sink(sink.taken, port)
    await until(REFUSES[0])
    sink.mode = "503"
    await until(REFUSES[1])
    sink.mode = "ok"
    return sink


async def _settled(taken: Taken, folder: Path, messages: int, patience: float = 60.0) -> None:
    """Wait until all messages have arrived and nothing waits, though not for ever."""
    deadline = time.monotonic() + patience
    while (len(taken.roots) < messages or _waiting(folder)) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)


async def _sample(found: Soak, servers: tuple[Server, Server], folder: Path, taken: Taken) -> None:
    begun = time.monotonic()
    process, without = (psutil.Process(server.pid) for server in servers)
    while True:
        found.samples.append(
            Sample(
                round(time.monotonic() - begun, 2),
                process.memory_info().rss,
                without.memory_info().rss,
                process.num_threads(),
                process.num_fds(),
                _waiting(folder),
                len(taken.roots),
            )
        )
        await asyncio.sleep(found.seconds / _SAMPLES)


async def _census(server: Server, file: Path, lines: int) -> dict[str, Any]:
    """What is alive in a server, whose file will have so many lines then."""
    os.kill(server.pid, signal.SIGUSR1)
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text().count("\n") == lines):
        assert time.monotonic() < deadline, f"no answer to SIGUSR1 in {file}"
        await asyncio.sleep(0.05)
    read: dict[str, Any] = json.loads(file.read_text().splitlines()[-1])
    return read


def _waiting(folder: Path) -> int:
    """Bytes that wait for the collector."""
    size = 0
    for path in folder.glob("undelivered-*.jsonl"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _kept(folder: Path) -> set[bytes]:
    """The ids of the root spans that wait for the collector."""
    lines = [
        json.loads(line) for path in folder.glob("undelivered-traces-*.jsonl") for line in path.read_text().splitlines()
    ]
    return {
        bytes.fromhex(span["spanId"])
        for line in lines
        for resource in line["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
        if span["name"] == ROOT
    }
