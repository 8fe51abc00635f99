"""An agent that is killed while its gateway is away: what it had acknowledged arrives, counted by span id."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.scale import SCALE
from collector.stack import HOST, Program, contrib, free, url
from tests.recording.rpc import RpcCollector
from tests.stack.backends import eventually
from tests.stack.conftest import required

pytestmark = pytest.mark.scale
REQUESTS, SPANS = 30, 100


@pytest.fixture
def gateway() -> Iterator[RpcCollector]:
    """What takes the agent's spans once it is there."""
    collector = RpcCollector()
    yield collector
    collector.close()


def agent(folder: Path, gateway: str, ports: list[int]) -> Program:
    """The agent as it is shipped."""
    grpc, http, health, metrics, telemetry = ports
    variables = {
        "AGENT_OTLP_GRPC": f"{HOST}:{grpc}",
        "AGENT_OTLP_HTTP": f"{HOST}:{http}",
        "AGENT_HEALTH": f"{HOST}:{health}",
        "AGENT_METRICS": f"{HOST}:{metrics}",
        "AGENT_TELEMETRY_PORT": str(telemetry),
        "AGENT_DATA": str(folder / "data"),
        "GATEWAY_OTLP_GRPC": gateway,
    }
    command = [str(required(contrib)), "--config", str(SCALE / "agent.yaml")]
    return Program("agent", command, f"{url(health)}/status", folder, variables)


def arrived(gateway: RpcCollector) -> Counter[bytes]:
    """The ids of the spans that came, and how often each did."""
    taken = [ExportTraceServiceRequest.FromString(body) for body in gateway.bodies["/v1/traces"]]
    found = (scope.spans for request in taken for resource in request.resource_spans for scope in resource.scope_spans)
    return Counter(span.span_id for spans in found for span in spans)


def test_an_agent_that_is_killed_with_its_gateway_away_loses_nothing_acknowledged(
    tmp_path: Path, gateway: RpcCollector
) -> None:
    """3,000 spans, kill -9 as soon as the last is acknowledged, started again: each arrives."""
    nobody, *ports = free(6)
    running = agent(tmp_path, f"{HOST}:{nobody}", ports)
    running.start()
    running.wait()
    acknowledged = set()
    try:
        for number in range(REQUESTS):
            request = ExportTraceServiceRequest()
            spans = request.resource_spans.add().scope_spans.add().spans
            for each in range(SPANS):
                id = (number * SPANS + each + 1).to_bytes(8, "big")
                spans.add(name="x", trace_id=id * 2, span_id=id, start_time_unix_nano=1, end_time_unix_nano=2)
                acknowledged.add(id)
            answer = requests.post(
                f"{url(ports[1])}/v1/traces",
                data=request.SerializeToString(),
                headers={"Content-Type": "application/x-protobuf"},
                timeout=30,
            )
            answer.raise_for_status()
    finally:
        running.stop(signal.SIGKILL)
    assert not arrived(gateway)
    again = agent(tmp_path, gateway.url.removeprefix("http://"), ports)
    again.start()
    again.wait()
    try:
        eventually(lambda: arrived(gateway).keys(), lambda ids: len(ids) == len(acknowledged), timeout=60)
    finally:
        again.stop()
    assert arrived(gateway).keys() == acknowledged
