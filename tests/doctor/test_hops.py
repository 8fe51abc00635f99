"""The hop that broke, between here and the collector."""

from __future__ import annotations

import ssl
import time
from concurrent import futures
from pathlib import Path

import grpc
import pytest
import trustme
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from ailoop_otel.doctor.findings import OK, PROBLEM
from ailoop_otel.replay import hops
from tests.ailoop.process import free_port
from tests.doctor.backend import Backend
from tests.doctor.conftest import about, examined, to


def test_a_chain_of_causes_has_an_end() -> None:
    """Though it may be a cycle; an unknown exception counts as no OTLP."""
    first, second = RuntimeError("secret"), ValueError("secret")
    first.__cause__, second.__cause__ = second, first
    assert hops.of_exception(first).name == "protocol"
    assert "secret" not in str(hops.of_exception(first))


@pytest.mark.parametrize(
    ("code", "details", "name"),
    [
        ("UNAVAILABLE", "DNS resolution failed for x", "DNS"),
        ("UNAVAILABLE", "Ssl handshake failed", "TLS"),
        ("UNAVAILABLE", "network is unreachable", "network"),
        ("UNAVAILABLE", "Trying to connect an http1.x server", "protocol"),
        ("UNIMPLEMENTED", "", "protocol"),
        ("DEADLINE_EXCEEDED", "", "no answer"),
        ("PERMISSION_DENIED", "", "gRPC PERMISSION_DENIED"),
        ("INTERNAL", "", "gRPC INTERNAL"),
    ],
)
def test_what_grpc_says_is_one_of_the_same_hops(code: str, details: str, name: str) -> None:
    """By its status, and by the words for a connection that does not come about."""
    hop = hops.of_grpc(code, details)
    assert hop.name == name
    assert hop.mend


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (302, "sends to"),
        (401, "OTEL_EXPORTER_OTLP_HEADERS"),
        (403, "OTEL_EXPORTER_OTLP_HEADERS"),
        (404, "/v1/traces"),
        (429, "limits"),
        (503, "collector's log"),
        (599, "collector's log"),
    ],
)
def test_a_refusal_is_reported_with_its_remedy(
    status: int, words: str, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, though the exporter would try again; headers go out and are never printed."""
    backend.status = status
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hidden")
    to(monkeypatch, backend.url)
    begin = time.monotonic()
    found = examined(timeout=120)
    assert time.monotonic() - begin < 60
    finding = about(found, "Collector")
    assert (finding.level, finding.sentence.startswith(f"HTTP {status}: ")) == (PROBLEM, True)
    assert words in finding.mend
    assert backend.authorizations[0] == "Bearer hidden"
    assert "hidden" not in str(found)


def test_a_collector_that_hangs_is_reported_in_time(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the timeout that was set."""
    backend.hangs = True
    to(monkeypatch, backend.url)
    begin = time.monotonic()
    finding = about(examined(timeout=0.5), "Collector")
    assert time.monotonic() - begin < 30
    assert finding.sentence.startswith("no answer: ")
    assert "--timeout" in finding.mend


@pytest.mark.fault(
    "collector",
    theirs="A web server stands at the collector's address (`doctor`)",
    promise="Said so: it has accepted nothing",
)
def test_pages_for_people_are_no_collector(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers everything with 200 has accepted nothing."""
    backend.kind = "text/html; charset=utf-8"
    to(monkeypatch, backend.url)
    assert about(examined(), "Collector").sentence.startswith("protocol: ")


@pytest.mark.fault(
    "collector",
    theirs="The collector takes a request and rejects the span in it (`doctor`)",
    promise="Said so, with its reason",
)
def test_a_span_that_is_rejected_has_not_arrived(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the answer is 200: that is a partial success."""
    rejected = trace_service_pb2.ExportTracePartialSuccess(rejected_spans=1, error_message="no tenant")
    response = trace_service_pb2.ExportTraceServiceResponse(partial_success=rejected)
    backend.response = response.SerializeToString()
    to(monkeypatch, backend.url)
    finding = about(examined(), "Collector")
    assert (finding.level, finding.sentence.partition(":")[0]) == (PROBLEM, "rejected")
    assert "no tenant" in finding.sentence


@pytest.mark.parametrize(
    ("url", "hop", "words"),
    [
        ("http://127.0.0.1:{closed}", "connection refused", "Start the collector"),
        ("http://no-such-host.invalid:4318", "DNS", "Correct the host"),
        ("127.0.0.1:4318", "no address", "http://HOST:4318"),
        ("https://127.0.0.1:{plain}", "TLS", "Use http://"),
        ("http://127.0.0.1:{mute}", "protocol", "gRPC"),
    ],
)
def test_the_hop_that_broke_is_named(
    url: str, hop: str, words: str, backend: Backend, mute: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do, and without the user and password of the address."""
    address = url.format(closed=free_port(), plain=backend.server_port, mute=mute)
    to(monkeypatch, address.replace("http://", "http://me:hidden@"))
    found = examined()
    finding = about(found, "Collector")
    assert (finding.level, finding.sentence.partition(":")[0]) == (PROBLEM, hop)
    assert words in finding.mend
    assert "hidden" not in str(found)


def test_a_certificate_that_nobody_knows_is_tls(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With its authority's certificate it is fine."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    backend.socket = context.wrap_socket(backend.socket, server_side=True)
    to(monkeypatch, backend.url.replace("http:", "https:"))
    assert about(examined(), "Collector").sentence.startswith("TLS: ")
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "authority.pem"))
    assert about(examined(), "Collector").level == OK


class _Grpc(trace_service_pb2_grpc.TraceServiceServicer):
    refuses = False

    def Export(self, request: object, context: grpc.ServicerContext) -> object:
        if self.refuses:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you")
        return trace_service_pb2.ExportTraceServiceResponse()


def test_grpc_has_the_same_hops(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepted, rejected, no listener, and a port that is for HTTP."""
    collector, servicer = grpc.server(futures.ThreadPoolExecutor(2)), _Grpc()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(servicer, collector)
    port = collector.add_insecure_port("127.0.0.1:0")
    collector.start()
    try:
        to(monkeypatch, f"http://127.0.0.1:{port}", "grpc")
        assert about(examined(), "Collector").level == OK
        servicer.refuses = True
        finding = about(examined(), "Collector")
        assert finding.sentence.startswith("gRPC UNAUTHENTICATED: ")
        assert "OTEL_EXPORTER_OTLP_HEADERS" in finding.mend
    finally:
        collector.stop(None).wait()
    to(monkeypatch, f"http://127.0.0.1:{free_port()}")
    assert about(examined(), "Collector").sentence.startswith("connection refused: ")
    to(monkeypatch, backend.url)
    assert about(examined(), "Collector").sentence.startswith(("protocol: ", "no answer: "))


def test_a_protocol_that_python_lacks_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that there are."""
    to(monkeypatch, "http://127.0.0.1:4318", "http/json")
    finding = about(examined(), "Collector")
    assert finding.sentence.startswith("no exporter: ")
    assert "http/protobuf or grpc" in finding.mend
