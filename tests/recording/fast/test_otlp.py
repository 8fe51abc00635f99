"""The official exporters with our encoder: what arrives, and when the official encoder is used all the same."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as over_grpc
from opentelemetry.exporter.otlp.proto.http import trace_exporter as over_http
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext

from ailoop_otel.export import exporters
from ailoop_otel.export.choice import TRACES
from ailoop_otel.guard import Guard
from ailoop_otel.recording.fast import protobuf
from ailoop_otel.recording.fast.otlp import quickened
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


def _export(guard: Guard, spans: list[ReadableSpan] = SPANS) -> SpanExportResult:
    exporter = exporters.make(TRACES, "otlp", Settings(), guard)
    assert exporter is not None
    try:
        result: SpanExportResult = exporter.export(spans)
        return result
    finally:
        exporter.shutdown()


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_http_carries_what_the_official_encoder_makes(
    http: Receiver, calls: list[int], monkeypatch: pytest.MonkeyPatch, guard: Guard, compression: str | None
) -> None:
    """Encoded by us, compressed and sent by the official exporter."""
    if compression:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    assert _export(guard) is SpanExportResult.SUCCESS
    assert http.requests == [encode_spans(SPANS)]
    assert http.encodings == [compression]
    assert calls == [3]


def test_grpc_carries_what_the_official_encoder_makes(rpc: Receiver, calls: list[int], guard: Guard) -> None:
    """Encoded by us, sent by the official exporter."""
    assert _export(guard) is SpanExportResult.SUCCESS
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
    assert _export(guard) is SpanExportResult.SUCCESS
    assert receiver.requests == [encode_spans(SPANS)]
    assert guard.errors == 1


def test_what_nobody_can_encode_fails_as_ever(http: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter says that the batch is lost and raises nothing."""
    nameless = ReadableSpan("\ud800", SpanContext(1, 2, False), start_time=1, end_time=2)
    assert _export(Guard(), [nameless]) is SpanExportResult.FAILURE
    assert http.requests == []


def test_the_limit_of_a_request_still_holds(http: Receiver, guard: Guard) -> None:
    """It is the official exporter that looks at the size."""
    exporter = quickened(over_http.OTLPSpanExporter(max_request_size=10), guard)
    assert exporter.export(SPANS) is SpanExportResult.FAILURE
    exporter.shutdown()
    assert http.requests == []


@pytest.mark.parametrize("module", [over_http, over_grpc])
def test_nobody_elses_exporter_is_touched(module: Any, guard: Guard) -> None:
    """Neither the class and its module, nor a class that was made from it."""
    before = dict(vars(module)), dict(vars(module.OTLPSpanExporter))

    class Vendor(module.OTLPSpanExporter):  # type: ignore[misc]
        pass

    official, vendor = module.OTLPSpanExporter(), Vendor()
    mine, theirs = set(vars(official)), set(vars(vendor))
    assert len(set(vars(quickened(official, guard))) - mine) == 1
    assert set(vars(quickened(vendor, guard))) == theirs
    assert (dict(vars(module)), dict(vars(module.OTLPSpanExporter))) == before
    official.shutdown()
    vendor.shutdown()


@pytest.mark.parametrize("change", ["patched", "renamed", "lacking", "gone"])
def test_a_release_that_is_built_otherwise(
    http: Receiver, calls: list[int], monkeypatch: pytest.MonkeyPatch, guard: Guard, change: str
) -> None:
    """It works as it did before us: with an encoder that somebody has put there, or without what ours leans on."""

    encode = encode_spans

    def export(self: Any, spans: Any) -> SpanExportResult:
        self._client.export(encode(spans).SerializeToString())
        return SpanExportResult.SUCCESS

    if change == "patched":
        monkeypatch.setattr(over_http, "encode_spans", lambda spans: encode_spans(spans))
    elif change == "renamed":
        monkeypatch.setattr(over_http.OTLPSpanExporter, "export", export)
    elif change == "gone":
        monkeypatch.setattr(over_http.OTLPSpanExporter, "export", staticmethod(lambda spans: SpanExportResult.SUCCESS))
    else:
        monkeypatch.setitem(sys.modules, "ailoop_otel.recording.fast.protobuf", None)
    exporter = over_http.OTLPSpanExporter()
    before = set(vars(exporter))
    assert set(vars(quickened(exporter, guard))) == before
    assert exporter.export(SPANS) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert calls == []
    assert http.requests == ([] if change == "gone" else [encode_spans(SPANS)])


def test_a_request_is_more_than_its_bytes(calls: list[int], guard: Guard) -> None:
    """An exporter of another release may ask the message for something else."""
    exporter = quickened(over_http.OTLPSpanExporter(), guard)
    request = exporter.export.__globals__["encode_spans"](SPANS)
    assert request.ByteSize() == len(request.SerializePartialToString()) == len(request.SerializeToString())
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "one"
    exporter.shutdown()
    assert calls == [3]
