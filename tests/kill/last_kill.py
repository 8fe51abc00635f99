"""One server, talked to by several clients and killed by SIGKILL at a moment that a seed chooses, and its account.

The ways: `files` is the embedded default; `down` has a collector that nobody runs, so that everything is spooled;
`back` has one that refuses with 503 and accepts from a moment on; the kill is up to 0.2 s after it took the first.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ailoop_otel import names
from ailoop_otel.cli import main
from ailoop_otel.recorded.files import ReadCounts, find, read
from ailoop_otel.recorded.otlp_json import SIGNALS
from ailoop_otel.recorded.records import parse
from tests.ailoop.client import connected
from tests.ailoop.process import Installation, Server, free_port, serving
from tests.replay.receiver import Asked, Receiver, Reply

WAYS = ("files", "down", "back")
CLIENTS = 4
# Seconds after the first answer: the earliest and the latest kill, and the earliest return of the collector.
_MOMENTS = (0.1, 2.5)
_OFTEN = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "100"}


@dataclass(frozen=True)
class Account:
    """What one killed server left.

    `answered` messages were answered to their clients; of these `readable` have their root span in the files or at the
    collector, and the others were in the memory of the process: the last ones of each client, if none is `missing`
    before one that is readable. `torn` files end in an unfinished line. `repeated` spans came to the collector twice,
    in so many `repeated_batches`.
    """

    way: str
    seed: int
    moment: float
    answered: int
    readable: int
    missing: int
    files: int
    lines: int
    torn: int
    unreadable: int
    delivered_before: int
    delivered: int
    repeated: int
    repeated_batches: int

    @property
    def problems(self) -> list[str]:
        """What must not be: all else is as promised."""
        found = {
            "a line was lost that is not the last of its file": self.unreadable,
            "a message was lost before one that was kept": self.missing,
            "more than one batch came twice": self.repeated_batches > 1,
            "spans that were kept were not delivered": self.readable > self.delivered,
            "more files are torn than were being written": self.torn > len(SIGNALS),
        }
        return [problem for problem, is_there in found.items() if is_there]


class Collector(Receiver):
    """Keeps the requests that it accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[Asked] = []

    def reply(self, asked: Asked) -> Reply:
        """As a receiver does."""
        reply = super().reply(asked)
        if reply.status == 200:
            with self._arrived:
                self.accepted.append(asked)
                self._arrived.notify_all()
        return reply

    def wait_for_spans(self) -> None:
        """Wait until a request for traces was accepted."""
        with self._arrived:
            assert self._arrived.wait_for(self.spans, 60)

    def spans(self) -> list[dict[str, str]]:
        """Of each accepted request for traces, in their order, the clients' trace ids by the ids of its spans."""
        return [dict(_spans(asked)) for asked in list(self.accepted) if asked.path == "/v1/traces"]


def kill(way: str, seed: int, installation: Installation, variables: dict[str, str], directory: Path) -> Account:
    """Start, talk, kill, read and replay; `directory` is empty and gets the telemetry."""
    chance = random.Random(seed)
    moment = chance.uniform(*_MOMENTS)
    collector = Collector()
    with contextlib.closing(collector):
        environment = {
            **variables, **_OFTEN, "AILOOP_OTEL_ENABLED": "true", "AILOOP_OTEL_DIRECTORY": str(directory)
        }  # fmt: skip
        if way == "back":
            collector.always = Reply(503, b"", {})
        if way != "files":
            port = f"http://127.0.0.1:{free_port()}"
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url if way == "back" else port
        # Sending what was kept takes a part of a second.
        back = max(0.0, moment - chance.uniform(0, 0.2)) if way == "back" else 0.0
        with serving(installation, environment) as server:
            answered = asyncio.run(_talk(server, collector, back, moment))
        return _account(way, seed, moment, answered, directory, collector)


async def _talk(server: Server, collector: Collector, back: float, moment: float) -> list[list[str]]:
    """Talk until the kill; returns for each client the trace ids of the messages that were answered, in their order."""

    async def client(number: int) -> None:
        with contextlib.suppress(Exception):  # the server is killed in the middle of it
            async with connected(server.port, server.dialect) as connection:
                await connection.start_session()
                for message in itertools.count():
                    trace_id = f"{number + 1:016x}{message + 1:016x}"
                    meta = {"traceparent": f"00-{trace_id}-{'01' * 8}-01"}
                    await connection.ask("x [[say chunks=2]]", meta=meta)
                    answered[number].append(trace_id)
                    begun.set()

    answered: list[list[str]] = [[] for _ in range(CLIENTS)]
    begun = asyncio.Event()
    clients = [asyncio.create_task(client(number)) for number in range(CLIENTS)]
    await asyncio.wait_for(begun.wait(), 60)
    await asyncio.sleep(back)
    refused, collector.always = collector.always.status != 200, Reply()
    if refused:
        await asyncio.to_thread(collector.wait_for_spans)
    await asyncio.sleep(moment - back)
    server.kill()
    for each in clients:
        each.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    return answered


def _account(
    way: str, seed: int, moment: float, answered: list[list[str]], directory: Path, collector: Collector
) -> Account:
    before = collector.spans()
    counts, kept, lines = ReadCounts(), {}, 0
    for batch in read(find(directory), counts):
        lines += 1
        kept.update({span.span_id: span.text(names.CLIENT_TRACE_ID) for span in batch.spans})
    _shows(directory, counts)
    _replay(directory, collector, before)
    after = collector.spans()
    seen: set[str] = set()
    repeated, batches = 0, 0
    for each in after:
        again = seen & each.keys()
        repeated, batches = repeated + len(again), batches + bool(again)
        seen |= each.keys()
    everything = {span: trace_id for each in after for span, trace_id in each.items()}
    known = {span: trace_id for each in before for span, trace_id in each.items()} | kept
    messages = [[trace_id in known.values() for trace_id in client] for client in answered]
    return Account(
        way=way,
        seed=seed,
        moment=round(moment, 3),
        answered=sum(map(len, answered)),
        readable=sum(map(sum, messages)),
        missing=sum(_gap(readable) for readable in messages),
        files=len(find(directory)),
        lines=lines,
        torn=len(counts.half_written),
        unreadable=counts.skipped + len(counts.unreadable) + len(known.keys() - everything.keys()),
        delivered_before=sum(map(len, before)),
        delivered=sum(trace_id in everything.values() for client in answered for trace_id in client),
        repeated=repeated,
        repeated_batches=batches,
    )


def _gap(readable: list[bool]) -> int:
    """How many messages are missing before the last one that is readable."""
    last = max((number for number, each in enumerate(readable) if each), default=-1)
    return readable[: last + 1].count(False)


def _shows(directory: Path, counts: ReadCounts) -> None:
    """`traces` reads as much, whatever was cut; without any telemetry it says so."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main(["traces", "--json", str(directory)])
    if code:
        assert not counts.understood, errors.getvalue()
        return
    totals = json.loads(output.getvalue().splitlines()[-1])
    assert totals["skipped_lines"] == counts.skipped
    assert totals["half_written"] == counts.half_written


def _replay(directory: Path, collector: Collector, before: list[dict[str, str]]) -> None:
    """`replay` sends what has not been acknowledged, and the second time nothing."""
    if not find(directory):
        return
    collector.always = Reply()
    words = ["replay", str(directory), "--endpoint", collector.url, "--signals", ",".join(SIGNALS), "--patience", "5"]
    for _ in range(2):
        sent = len(collector.accepted)
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            assert main(words) == 0, output.getvalue()
    assert len(collector.accepted) == sent


def _spans(asked: Asked) -> Iterator[tuple[str, str]]:
    if "json" in asked.headers.get("Content-Type", ""):
        batch = parse(asked.body)
        assert batch is not None
        yield from ((span.span_id, span.text(names.CLIENT_TRACE_ID)) for span in batch.spans)
        return
    for resource in ExportTraceServiceRequest.FromString(asked.body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                found = (each.value.string_value for each in span.attributes if each.key == names.CLIENT_TRACE_ID)
                yield span.span_id.hex(), next(found, "")
