"""Where telemetry goes, and which hop broke."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
import trustme
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from ailoop_otel.doctor import endpoint, jaeger
from ailoop_otel.doctor.findings import NOTE, OK, TROUBLE, Finding
from tests.ailoop.process import free_port
from tests.doctor.backend import Backend
from tests.doctor.conftest import about

PATIENCE = 1.5


@pytest.fixture(autouse=True)
def _no_jaeger_nearby(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaeger, "DEFAULT", f"http://127.0.0.1:{free_port()}")


def _examined(query: str = "", patience: float = PATIENCE) -> tuple[Finding, ...]:
    return tuple(endpoint.examine(Path.cwd(), query, patience))


def _to(monkeypatch: pytest.MonkeyPatch, url: str, protocol: str = "") -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    if protocol:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)


def test_a_span_is_followed_into_jaeger(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from a service of its own, and is looked for until it has been indexed."""
    backend.delay = 3
    _to(monkeypatch, backend.url)
    found = _examined(backend.url)
    assert about(found, "Collector").level == OK
    assert about(found, "Jaeger").level == OK
    (trace_id,) = backend.traces
    assert about(found, "Jaeger").sentence.endswith(f"/trace/{trace_id}")
    assert "ailoop-otel-doctor" in backend.services


def test_a_jaeger_nearby_is_asked_unbidden(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the collector is on this machine too."""
    monkeypatch.setattr(jaeger, "DEFAULT", backend.url)
    _to(monkeypatch, backend.url)
    assert about(_examined(), "Jaeger").level == OK


def test_without_a_jaeger_the_rest_is_a_note(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option is named."""
    _to(monkeypatch, backend.url)
    finding = about(_examined(), "Jaeger")
    assert finding.level == NOTE
    assert "--jaeger URL" in finding.mend


def test_a_span_that_jaeger_never_sees_is_trouble(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector took it: whatever broke is behind it."""
    backend.finds = False
    _to(monkeypatch, backend.url)
    finding = about(_examined(backend.url, 0.5), "Jaeger")
    assert finding.level == TROUBLE
    assert "collector took the span" in finding.sentence
    assert "collector's exporters" in finding.mend


def test_a_jaeger_that_was_named_must_answer(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is secret in its address is not repeated."""
    _to(monkeypatch, backend.url)
    finding = about(_examined(f"http://user:secret@127.0.0.1:{free_port()}"), "Jaeger")
    assert (finding.level, "does not answer" in finding.sentence) == (TROUBLE, True)
    assert "secret" not in str(finding)
    assert "correct --jaeger" in finding.mend


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
def test_a_refusal_is_told_with_its_mend(
    status: int, words: str, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, though the exporter would try again; headers go out and are never printed."""
    backend.status = status
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hidden")
    _to(monkeypatch, backend.url)
    begin = time.monotonic()
    found = _examined(patience=20)
    assert time.monotonic() - begin < 10
    finding = about(found, "Collector")
    assert (finding.level, finding.sentence.startswith(f"HTTP {status}: ")) == (TROUBLE, True)
    assert words in finding.mend
    assert backend.authorizations[0] == "Bearer hidden"
    assert "hidden" not in str(found)


def test_a_collector_that_hangs_is_told_in_time(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the patience that was asked for."""
    backend.hangs = True
    _to(monkeypatch, backend.url)
    begin = time.monotonic()
    finding = about(_examined(patience=0.5), "Collector")
    assert time.monotonic() - begin < 5
    assert finding.sentence.startswith("no answer: ")
    assert "--timeout" in finding.mend


def test_pages_for_people_are_no_collector(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers everything with 200 has taken nothing."""
    backend.kind = "text/html; charset=utf-8"
    _to(monkeypatch, backend.url)
    assert about(_examined(), "Collector").sentence.startswith("protocol: ")


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
    _to(monkeypatch, address.replace("http://", "http://me:hidden@"))
    found = _examined()
    finding = about(found, "Collector")
    assert (finding.level, finding.sentence.partition(":")[0]) == (TROUBLE, hop)
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
    _to(monkeypatch, backend.url.replace("http:", "https:"))
    assert about(_examined(), "Collector").sentence.startswith("TLS: ")
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "authority.pem"))
    assert about(_examined(), "Collector").level == OK


class _Grpc(trace_service_pb2_grpc.TraceServiceServicer):
    refuses = False

    def Export(self, request: object, context: grpc.ServicerContext) -> object:
        if self.refuses:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you")
        return trace_service_pb2.ExportTraceServiceResponse()


def test_grpc_has_the_same_hops(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken, refused, nobody there, and a port that is for HTTP."""
    collector, servicer = grpc.server(futures.ThreadPoolExecutor(2)), _Grpc()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(servicer, collector)
    port = collector.add_insecure_port("127.0.0.1:0")
    collector.start()
    try:
        _to(monkeypatch, f"http://127.0.0.1:{port}", "grpc")
        assert about(_examined(), "Collector").level == OK
        servicer.refuses = True
        finding = about(_examined(), "Collector")
        assert finding.sentence.startswith("gRPC UNAUTHENTICATED: ")
        assert "OTEL_EXPORTER_OTLP_HEADERS" in finding.mend
    finally:
        collector.stop(None).wait()
    _to(monkeypatch, f"http://127.0.0.1:{free_port()}")
    assert about(_examined(), "Collector").sentence.startswith("connection refused: ")
    _to(monkeypatch, backend.url)
    assert about(_examined(), "Collector").sentence.startswith(("protocol: ", "no answer: "))


def test_a_protocol_that_python_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that there are."""
    _to(monkeypatch, "http://127.0.0.1:4318", "http/json")
    finding = about(_examined(), "Collector")
    assert finding.sentence.startswith("no exporter: ")
    assert "http/protobuf or grpc" in finding.mend


def test_files_need_a_folder_that_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that is not there yet is made by the server, not here."""
    assert about(_examined(), "Files").level == OK
    assert not (tmp_path / "ailoop-telemetry").exists()
    (tmp_path / "taken").touch()
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", "taken")
    finding = about(_examined(), "Files")
    assert (finding.level, "is no directory" in finding.sentence) == (TROUBLE, True)
    assert "AILOOP_OTEL_DIRECTORY" in finding.mend
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", "locked")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "may not be written" in about(_examined(), "Files").sentence


@pytest.mark.parametrize(
    ("variables", "subject", "level"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED", TROUBLE),
        ({"OTEL_CONFIG_FILE": "otel.yaml"}, "OTEL_CONFIG_FILE", TROUBLE),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "Traces", TROUBLE),
        ({"OTEL_TRACES_EXPORTER": "console"}, "Traces", NOTE),
        ({"OTEL_TRACES_EXPORTER": "none"}, "Traces, metrics, logs", NOTE),
    ],
)
def test_other_places_are_told(
    variables: dict[str, str], subject: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as they can be looked at without making anything."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert about(_examined(), subject).level == level


def test_a_jaeger_that_gets_nothing_is_not_asked() -> None:
    """Files do not go there."""
    assert about(_examined("http://127.0.0.1:1"), "Jaeger").level == NOTE


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that takes connections and drops them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ends = threading.Event()

        def serve() -> None:
            listener.settimeout(0.05)
            while not ends.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    continue
                with connection:
                    connection.recv(65536)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        ends.set()
        thread.join()
