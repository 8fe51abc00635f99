"""The chain with what Kubernetes adds to each tier, as processes: TLS on every leg, and nobody in who is not known."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.scale import AGENTS, GATEWAYS, Chain
from collector.stack import HOST, executables
from tests.kubernetes.certificates import TOKEN, Files, files
from tests.stack.backends import eventually

pytestmark = pytest.mark.scale
TRACE = bytes(range(16))
# Cassandra's own first user, whose password a real cluster changes.
VARIABLES = {
    "CASSANDRA_USER": "cassandra",
    "CASSANDRA_PASSWORD": "cassandra",
    "CASSANDRA_TIMEOUT": "150s",
    "DECISION_WAIT": "2s",
    "SAMPLING_PERCENTAGE": "100",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of /etc/ailoop."""
    return files(tmp_path_factory.mktemp("etc"))


@pytest.fixture(scope="module")
def chain(made: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """All programs of it."""
    with pytest.MonkeyPatch.context() as patch:
        # The first user is made as it starts, and not ten seconds later.
        patch.setenv("JAVA_TOOL_OPTIONS", "-Dcassandra.superuser_setup_delay_ms=0")
        try:
            whole = Chain(tmp_path_factory.mktemp("chain"), VARIABLES, added=made.additions())
        except executables.MissingProgram as missing:
            pytest.skip(str(missing))
        with whole:
            yield whole


def test_a_span_comes_through_all_of_them(chain: Chain, made: Files) -> None:
    """From a server with its team's token to Jaeger's query."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    spans.add(name="chat", trace_id=TRACE, span_id=TRACE[:8], start_time_unix_nano=1, end_time_unix_nano=2)
    answer = requests.post(
        f"{chain.otlp(AGENTS[0]).replace('http:', 'https:')}/v1/traces",
        request.SerializeToString(),
        headers={"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {TOKEN}"},
        verify=str(made.authority),
        timeout=10,
    )
    assert answer.status_code == 200
    address = f"{chain.query}/api/traces/{TRACE.hex()}"
    assert eventually(lambda: requests.get(address, timeout=30).status_code, lambda status: status == 200, 120)


@pytest.mark.parametrize(
    ("program", "variable"), [(GATEWAYS[0], "GATEWAY_OTLP_GRPC"), ("kafka", "")], ids=["gateway", "kafka"]
)
@pytest.mark.parametrize("known", [True, False], ids=["its certificate", "none"])
def test_only_who_shows_a_certificate_is_spoken_to(
    chain: Chain, made: Files, program: str, variable: str, known: bool
) -> None:
    """With TLS 1.3 a client learns as it reads that it was refused."""
    context = ssl.create_default_context(cafile=str(made.authority))
    context.set_alpn_protocols(["h2"])
    if known:
        context.load_cert_chain(made.both)
    with (
        socket.create_connection((HOST, chain.port(program, variable)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as secured,
    ):
        secured.settimeout(2)
        refused = False
        try:
            secured.recv(1)
        except TimeoutError:
            pass  # it waits for what the client has to say
        except ssl.SSLError as error:
            refused = "ALERT" in str(error)
    assert refused is not known


def test_cassandra_speaks_to_nobody_in_the_clear(chain: Chain) -> None:
    """A question in its own protocol gets no answer without TLS."""
    options = bytes([0x05, 0, 0, 0, 0x05, 0, 0, 0, 0])
    with socket.create_connection((HOST, chain.port("cassandra")), timeout=10) as plain:
        plain.sendall(options)
        plain.settimeout(5)
        try:
            answer = plain.recv(16)
        except (TimeoutError, ConnectionError):
            answer = b""
    assert not answer.startswith(b"\x85\x00\x00\x00\x06")
