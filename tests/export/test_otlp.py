"""The OTLP exporters: what arrives, and when the official encoder is used all the same."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext

from ailoop_otel.export import exporters
from ailoop_otel.export.exporters import Shared
from ailoop_otel.guard import Guard
from ailoop_otel.recorded.otlp_json import TRACES
from ailoop_otel.recording.fast import protobuf
from ailoop_otel.settings import Settings

SPANS = [ReadableSpan("one", SpanContext(1, 2, False), None, None, {"size": 7}, start_time=1, end_time=2)] * 3


class Receiver:
    """Keeps the requests that came, by HTTP or by gRPC, decoded."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.encodings: list[str | None] = []

    def Export(self, request: ExportTraceServiceRequest, context: object) -> ExportTraceServiceResponse:
        """Take a request, by gRPC."""
        self.requests.append(request)
        return ExportTraceServiceResponse()


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A real HTTP server, to which the environment points."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.encodings.append(self.headers["Content-Encoding"])
            plain = gzip.decompress(body) if receiver.encodings[-1] == "gzip" else body
            receiver.requests.append(ExportTraceServiceRequest.FromString(plain))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def rpc(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A real gRPC server, to which the environment points."""
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    yield receiver
    server.stop(0).wait(5)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many spans our encoder was asked for, call by call."""
    sizes: list[int] = []
    ours = protobuf.encoded

    def encoded(spans: Any) -> bytes:
        sizes.append(len(spans))
        return ours(spans)

    monkeypatch.setattr(protobuf, "encoded", encoded)
    return sizes


def _export(shared: Shared, spans: list[ReadableSpan] = SPANS) -> None:
    exporter = exporters.make(TRACES, "otlp", shared)
    assert exporter is not None
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    exporter.shutdown()


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_http_carries_what_the_official_encoder_makes(
    http: Receiver, calls: list[int], monkeypatch: pytest.MonkeyPatch, guard: Guard, compression: str | None
) -> None:
    """Encoded and compressed by us."""
    if compression:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    _export(Shared(Settings(), guard))
    assert http.requests == [encode_spans(SPANS)]
    assert http.encodings == [compression]
    assert calls == [3]


def test_grpc_carries_what_the_official_encoder_makes(rpc: Receiver, calls: list[int], guard: Guard) -> None:
    """Encoded by us, sent by us."""
    _export(Shared(Settings(), guard))
    assert rpc.requests == [encode_spans(SPANS)]
    assert calls == [3]


@pytest.mark.parametrize("transport", ["http", "rpc"])
def test_a_fault_of_ours_costs_no_span(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    """The official encoder takes that batch, and the fault is counted."""
    receiver = request.getfixturevalue(transport)

    def broken(spans: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(protobuf, "encoded", broken)
    guard = Guard()
    _export(Shared(Settings(), guard))
    assert receiver.requests == [encode_spans(SPANS)]
    assert guard.errors == 1


@pytest.mark.fault(
    "foreign",
    theirs="A span that no encoder can encode",
    promise="Counted as lost; nothing is raised",
)
def test_what_nobody_can_encode_is_counted(http: Receiver) -> None:
    """As lost; nothing is raised."""
    nameless = ReadableSpan("\ud800", SpanContext(1, 2, False), start_time=1, end_time=2)
    shared = Shared(Settings(), Guard())
    _export(shared, [nameless])
    assert http.requests == []
    assert shared.ledger.lost == {("traces", "unencodable"): 1}
