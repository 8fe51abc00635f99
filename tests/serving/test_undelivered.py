"""A server that is stopped while its collector is in trouble: every message is delivered or on disk, in time."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.ailoop.client import connected
from tests.ailoop.process import Installation, Server, free_port
from tests.reliability.balance import Balance
from tests.replay.receiver import Asked, Receiver, Reply
from tests.serving.conftest import Serve
from tests.serving.folder import Folder
from tests.serving.test_trouble import complaints

MESSAGES = 5
ROOT = "sendUserMessage"
# Seconds: three for the telemetry, and what a busy machine takes beyond that to end a server; at ten it is killed.
GONE = 9.5
MODES = {
    "redirects": "redirects (308)",
    "page": "answers with a page",
    "hangs": "hangs",
    "slow": "takes 2.5 s for each answer",
    "down": "is down",
    "503": "answers 503",
    "413": "answers 413",
    "400": "answers 400",
    "wrong certificate": "has a certificate that nobody knows",
    "no name": "has a name that does not resolve",
}


class Troubled(Receiver):
    """A collector in one of the modes; `roots` are the ids of the messages' root spans that it took."""

    def __init__(self, mode: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(tls)
        self.mode = mode
        self.roots: set[str] = set()
        self.holds_from = 1 if mode == "hangs" else None

    def reply(self, asked: Asked) -> Reply:
        """Answer as the mode has it."""
        if self.mode == "slow":
            self._released.wait(2.5)
        replies = {
            "redirects": Reply(308, b"", {"Location": "https://elsewhere.example/v1/traces"}),
            "page": Reply(200, b"<html></html>", {"Content-Type": "text/html"}),
            "503": Reply(503, b"", {}),
            "413": Reply(413, b"", {}),
            "400": Reply(400, b"", {}),
        }
        self.always = replies.get(self.mode, Reply(200, b"", {}))
        chosen = super().reply(asked)
        if chosen.status == 200 and self.mode != "page" and asked.path == "/v1/traces":
            request = ExportTraceServiceRequest.FromString(asked.body)
            self.roots |= {
                span.span_id.hex()
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
                if span.name == ROOT
            }
        return chosen


# After SIGINT exit handlers run, which is the same whatever the collector answers.
INTERRUPTED = ("ok", "hangs", "down")


def _ends() -> Iterator[Any]:
    for mode, does in MODES.items():
        mark = pytest.mark.fault(
            "process",
            theirs=f"SIGTERM{' or SIGINT' if mode in INTERRUPTED else ''} while the collector {does}",
            promise="Each message has its root span there or on disk; one line; the server ends in time",
        )
        yield pytest.param(mode, signal.SIGTERM, marks=mark)
        if mode in INTERRUPTED:
            yield pytest.param(mode, signal.SIGINT, marks=mark)
    yield from (("ok", signal.SIGTERM), ("ok", signal.SIGINT))


@pytest.fixture
def troubled(request: pytest.FixtureRequest) -> Iterator[Troubled]:
    """A collector in each mode, and one without trouble; in two of them nobody asks it."""
    context = None
    if request.param == "wrong certificate":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    running = Troubled(request.param, context)
    yield running
    running.close()


def _address(troubled: Troubled) -> str:
    if troubled.mode == "down":
        return f"http://127.0.0.1:{free_port()}"
    return "http://no-such-host.invalid:4318" if troubled.mode == "no name" else troubled.url


def _roots_on_disk(folder: Path) -> set[str]:
    """The ids of the messages' root spans that wait to be sent."""
    requests = [
        json.loads(line) for path in folder.glob("undelivered-traces-*.jsonl") for line in path.read_text().splitlines()
    ]
    return {
        span["spanId"]
        for request in requests
        for resource in request["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
        if span["name"] == ROOT
    }


async def _talk(server: Server) -> None:
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        for _ in range(MESSAGES):
            await client.ask("x [[say chunks=2]]")


@pytest.mark.parametrize(("troubled", "number"), [*_ends()], indirect=["troubled"])
async def test_nothing_is_lost_and_the_server_ends(
    stateless: Installation, serve: Serve, troubled: Troubled, tmp_path: Path, balance: Balance, number: int
) -> None:
    """Each message has its root span there or here, one line says what is left, and none is lost."""
    server = serve(stateless, OTEL_EXPORTER_OTLP_ENDPOINT=_address(troubled), OTEL_BSP_SCHEDULE_DELAY="60000")
    await _talk(server)
    begun = time.monotonic()
    await asyncio.to_thread(server.stop, number)
    assert time.monotonic() - begun < GONE
    kept, arrived = _roots_on_disk(tmp_path / "telemetry"), troubled.roots
    # What was on its way at the end may have arrived all the same.
    balance("messages", made=MESSAGES, delivered=len(arrived), kept=len(kept - arrived))
    if troubled.mode not in ("ok", "hangs", "slow"):
        assert not arrived
    told = [line for line in complaints(server) if "getting through" in line]
    assert len(told) == (troubled.mode != "ok"), complaints(server)
    assert not any(" are lost" in line for line in complaints(server)), complaints(server)


@pytest.mark.fault(
    "process",
    theirs="SIGTERM, no spool, and the last batch is answered 400",
    promise="The metrics of the last moment tell of the spans that were lost in it",
)
async def test_without_the_spool_the_account_is_final(stateless: Installation, serve: Serve, tmp_path: Path) -> None:
    """The metrics of the last moment tell of the spans that were lost in it."""
    receiver = Receiver()
    receiver.always = Reply(400, b"", {})
    server = serve(
        stateless,
        AILOOP_OTEL_SPOOL="false",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver.url}/v1/traces",
        OTEL_METRICS_EXPORTER="ailoop_json_files",
        OTEL_BSP_SCHEDULE_DELAY="60000",
    )
    await _talk(server)
    await asyncio.to_thread(server.stop, signal.SIGTERM)
    points = Folder(tmp_path / "telemetry").points("ailoop_otel.spans.dropped")
    receiver.close()
    assert int(points[0]["asInt"]) >= MESSAGES * 3
