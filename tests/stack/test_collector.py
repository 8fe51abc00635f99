"""What the collector lets through, to whom it listens, and what a restart leaves."""

from __future__ import annotations

import signal
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
import trustme
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from collector.stack import Stack, free_ports
from tests.ailoop.provider import Provider
from tests.stack.backends import Jaeger, eventually
from tests.stack.secured import secured
from tests.stack.traffic import environment, run

SECRETS = {
    "url.query": "key=canary",
    "http.url": "http://host/?key=canary",
    "http.request.header.authorization": "canary",
    "http.response.header.set-cookie": "canary",
    "db.statement": "select 'canary'",
}
# As `htpasswd -nbs server secret` makes it.
USERS = "server:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


@pytest.fixture
def provider_of_spans(stack: Stack) -> Iterator[TracerProvider]:
    """Any other instrumentation in the same server."""
    provider = TracerProvider(resource=Resource({"service.name": "other"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{stack.ports.otlp}/v1/traces")))
    yield provider
    provider.shutdown()


def test_what_must_not_leave_stays(provider_of_spans: TracerProvider, traces: Jaeger) -> None:
    """Secrets are taken out of a span, probes and frames are not passed on at all, the rest is."""
    tracer = provider_of_spans.get_tracer("other")
    tracer.start_span("GET /health", attributes={"url.path": "/health"}).end()
    tracer.start_span("websocket send", attributes={"asgi.event.type": "websocket.send"}).end()
    tracer.start_span("GET /", attributes={**SECRETS, "url.path": "/"}).end()
    (trace,) = eventually(lambda: traces.search("other"))
    (span,) = trace
    assert span.name == "GET /"
    assert span.attributes["url.path"] == "/"
    assert not SECRETS.keys() & span.attributes.keys()
    assert "canary" not in str(traces.get("/api/traces", service="other"))


def test_logs_are_taken(stack: Stack) -> None:
    """Otherwise each server would complain of every batch."""
    answer = requests.post(f"{stack.ports.otlp}/v1/logs", json={"resourceLogs": []}, timeout=5)
    assert answer.status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_of_jaeger_loses_no_trace(
    jaeger_program: Path, tmp_path: Path, provider: Provider, number: int
) -> None:
    """Neither one that was stored, nor one that came while it was away; killed or stopped."""
    with Stack(tmp_path, free_ports(), with_prometheus=False) as stack:
        jaeger = Jaeger(stack.ports.jaeger)
        told = run(provider, environment(stack.ports.otlp, "before"))
        messages = len(told.exchanges)
        before = eventually(lambda: roots(jaeger, "before"), lambda found: len(found) == messages)
        stack.jaeger.stop(number)
        run(provider, environment(stack.ports.otlp, "meanwhile"))
        stack.jaeger.start()
        stack.jaeger.wait()
        assert roots(jaeger, "before") == before
        eventually(lambda: roots(jaeger, "meanwhile"), lambda found: len(found) == messages)


def roots(jaeger: Jaeger, service: str) -> set[str]:
    """The traces of messages."""
    return {span.trace for trace in jaeger.search(service) for span in trace if span.name == "sendUserMessage"}


def test_with_tls_and_basic_auth_only_who_knows_the_password_may_send(
    jaeger_program: Path, tmp_path: Path, provider: Provider
) -> None:
    """The commented block of the configuration, uncommented; a server is told of it by OTEL_* variables."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate")
    authority.cert_pem.write_to_path(tmp_path / "authority")
    (tmp_path / "users").write_text(f"{USERS}\n")
    variables = {
        "COLLECTOR_HTPASSWD": str(tmp_path / "users"),
        "COLLECTOR_TLS_CERT": str(tmp_path / "certificate"),
        "COLLECTOR_TLS_KEY": str(tmp_path / "key"),
    }
    with Stack(
        tmp_path, free_ports(), with_prometheus=False, configuration=secured(tmp_path), variables=variables
    ) as stack:
        endpoint = stack.ports.otlp.replace("http:", "https:")
        trusting = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "authority")}
        word = quote(f"Basic {b64encode(b'server:secret').decode()}")
        told = run(
            provider, environment(endpoint, "known", OTEL_EXPORTER_OTLP_HEADERS=f"authorization={word}", **trusting)
        )
        run(provider, environment(endpoint, "unknown", **trusting))
        jaeger = Jaeger(stack.ports.jaeger)
        eventually(lambda: roots(jaeger, "known"), lambda found: len(found) == len(told.exchanges))
        assert jaeger.services() == ["known"]
        with pytest.raises(requests.HTTPError, match="400"):
            requests.post(f"{stack.ports.otlp}/v1/traces", json={}, timeout=5).raise_for_status()
