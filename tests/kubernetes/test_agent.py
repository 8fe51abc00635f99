"""The agent with what Kubernetes adds to it, as a process: it takes what a team's server sends, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from collector.stack import Program, executables, free_ports, url
from tests.ailoop.client import connected
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.kubernetes.certificates import TOKEN, files
from tests.kubernetes.manifests import SCALE
from tests.stack.backends import eventually
from tests.stack.traffic import environment

pytestmark = pytest.mark.scale
SERVICE = "support-ailoop"


@dataclass(frozen=True)
class Agent:
    """Where it listens, and the certificate of its authority."""

    otlp: str
    metrics: str
    authority: Path


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """The agent on ports of its own, with its files in a folder in place of /etc/ailoop."""
    try:
        program = executables.contrib()
    except executables.MissingProgram as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("agent")
    made = files(folder / "etc")
    ports = free_ports()
    variables = {
        "AGENT_HEALTH": f"127.0.0.1:{ports.collector_health}",
        "AGENT_OTLP_GRPC": f"127.0.0.1:{ports.otlp_grpc}",
        "AGENT_OTLP_HTTP": f"127.0.0.1:{ports.otlp_http}",
        "AGENT_METRICS": f"127.0.0.1:{ports.collector_metrics}",
        "AGENT_TELEMETRY_PORT": str(ports.collector_telemetry),
        "AGENT_DATA": str(folder / "queue"),
        # Nobody is there: it waits on disk.
        "GATEWAY_OTLP_GRPC": f"127.0.0.1:{ports.jaeger_otlp}",
    }
    command = [str(program), "--config", str(SCALE / "agent.yaml"), "--config", str(made.tier("agent"))]
    running = Program("agent", command, f"{url(ports.collector_health)}/status", folder, variables)
    running.start()
    try:
        running.wait()
        otlp = url(ports.otlp_http).replace("http:", "https:")
        yield Agent(otlp, f"{url(ports.collector_metrics)}/metrics", made.authority)
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("header", "status"),
    [({}, 401), ({"Authorization": "Bearer wrong"}, 401), ({"Authorization": f"Bearer {TOKEN}"}, 200)],
    ids=["no token", "wrong token", "its token"],
)
def test_only_who_has_a_token_is_taken_from(agent: Agent, header: dict[str, str], status: int) -> None:
    """Over TLS; an empty export is one."""
    headers = {"Content-Type": "application/x-protobuf", **header}
    answer = requests.post(f"{agent.otlp}/v1/traces", b"", headers=headers, verify=str(agent.authority), timeout=10)
    assert answer.status_code == status


def test_a_server_sends_to_it_and_is_called_by_its_service(agent: Agent) -> None:
    """With the operator's variables: no namespace in the job, and the team is not the server's to say."""
    variables = environment(
        agent.otlp,
        SERVICE,
        OTEL_EXPORTER_OTLP_CERTIFICATE=str(agent.authority),
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{TOKEN}",
        OTEL_RESOURCE_ATTRIBUTES="service.namespace=support-live,team=another,service.version=1.0.0",
    )
    with Provider() as provider, serving(standin(STATELESS), provider.plain_environment() | variables) as server:
        asyncio.run(_greet(server.port))
        told = eventually(
            lambda: requests.get(agent.metrics, timeout=10).text,
            lambda text: (
                "ailoop_exchange_duration_seconds_count{" in text and "traces_span_metrics_calls_total{" in text
            ),
        )
    lines = [
        line for line in told.splitlines() if line.startswith(("ailoop_exchange_duration", "target_info", "traces_"))
    ]
    assert lines
    assert [line for line in lines if f'job="{SERVICE}"' not in line] == []
    assert 'team="' not in told
    assert 'service_version="1.0.0"' in told


async def _greet(port: int) -> None:
    async with connected(port, STATELESS) as client:
        await client.start_session()
        await client.ask("hello [[say chunks=3 gap=0.01]]")
