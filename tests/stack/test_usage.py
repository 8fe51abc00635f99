"""What model calls used, as Jaeger and Prometheus tell it: what the provider sent, of each generation of the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import names
from collector.stack import COLLECTOR, Stack
from tests.ailoop.process import STATELESS, Installation, serving
from tests.ailoop.provider import Provider
from tests.ailoop.served import Served
from tests.serving.billed import UNBILLED, converse, figures, messages_to, of_all, priced, told
from tests.serving.conftest import ROOT, installation, wheel_installed
from tests.stack.backends import Jaeger, Prometheus, eventually
from tests.stack.test_dashboard import filled
from tests.stack.test_end_to_end import in_prometheus
from tests.stack.traffic import environment

__all__ = ["installation", "wheel_installed"]

PANELS = {
    panel["title"]: [target["expr"] for target in panel["targets"]]
    for panel in json.loads((COLLECTOR / "grafana" / "ailoop.json").read_text(encoding="utf-8"))["panels"]
    if panel["type"] != "row"
}


@dataclass(frozen=True)
class Billed:
    """A server that runs on, what it was called, and the model calls of each message."""

    service: str
    dialect: str
    calls: list[list[Served]]


@pytest.fixture
def billed(
    installation: Installation, stack: Stack, provider: Provider, metrics: Prometheus, tmp_path: Path
) -> Iterator[Billed]:
    """Conversations, after which Prometheus knows of all their model calls."""
    is_standin = installation.root.is_relative_to(ROOT)
    service = f"ailoop-billed-{installation.dialect}" + ("" if is_standin else "-real")
    sent_to = provider.plain_environment() if is_standin else provider.environment()
    variables = environment(stack.ports.otlp, service, HOME=str(tmp_path)) | sent_to | priced(tmp_path)
    with serving(installation, variables) as server:
        calls: list[list[Served]] = []
        counted = f'sum(gen_ai_client_inference_duration_seconds_count{{job="{service}"}})'
        # The first makes counters of zeros, so that all that is counted is an increase.
        for messages in (UNBILLED, messages_to(server.dialect)):
            calls += asyncio.run(converse(server, provider, messages))
            wanted = len(of_all(calls))
            eventually(lambda: metrics.value(counted), lambda count, wanted=wanted: count == wanted)
        yield Billed(service, installation.dialect, calls)


def test_every_figure_is_the_provider_s(billed: Billed, traces: Jaeger, metrics: Prometheus) -> None:
    """To the token, to the chunk and to the cent; and what the dashboard makes of it."""
    _in_jaeger(billed, traces)
    _in_prometheus(billed, metrics)
    _on_the_dashboard(billed, metrics)


def _in_jaeger(billed: Billed, traces: Jaeger) -> None:
    def spans(name: str) -> list[Any]:
        found = [span for trace in traces.search(billed.service) for span in trace if span.name.startswith(name)]
        return sorted(found, key=lambda span: span.start)

    chats = eventually(lambda: spans(names.SPAN_MODEL), lambda found: len(found) == len(of_all(billed.calls)))
    for span, call in zip(chats, of_all(billed.calls), strict=True):
        assert told(span.attributes) == pytest.approx(figures([call]))
        assert span.attributes[names.MODEL_CHUNKS] == call.lines
    for span, message in zip(spans("sendUserMessage"), billed.calls, strict=True):
        assert told(span.attributes) == pytest.approx(figures(message))


def _in_prometheus(billed: Billed, metrics: Prometheus) -> None:
    sums = figures(of_all(billed.calls))
    wanted = zip(
        names.TOTALS,
        (names.USAGE_INPUT, names.USAGE_OUTPUT, names.USAGE_CACHE_READ, names.USAGE_CACHE_WRITE, names.USAGE_REASONING,
         names.COST),
        strict=True,
    )  # fmt: skip
    for metric, name in wanted:
        asked = f'sum({in_prometheus(metric)}{{job="{billed.service}"}})'
        assert eventually(lambda asked=asked: metrics.value(asked)) == pytest.approx(sums[name]), metric.name
    chunks = f'sum(gen_ai_client_inference_time_per_output_chunk_seconds_count{{job="{billed.service}"}})'
    assert metrics.value(chunks) == sum(call.outputs - 1 for call in of_all(billed.calls))


def _on_the_dashboard(billed: Billed, metrics: Prometheus) -> None:
    """Rates, of which the relations are exact, and an increase, which is an estimate."""
    sums = figures(of_all(billed.calls))
    (hits,) = PANELS["Cache hits"]
    ratio = sums[names.USAGE_CACHE_READ] / sums[names.USAGE_INPUT]
    expression = filled(hits, billed.service)
    eventually(lambda: metrics.value(expression), lambda value: value == pytest.approx(ratio, rel=0.01))
    (spent,) = PANELS["Cost by agent and model, in the time shown"]

    def cost() -> list[tuple[dict[str, str], float]]:
        return metrics.query(filled(spent, billed.service))

    found = eventually(cost, lambda rows: [value for _, value in rows] == [pytest.approx(sums[names.COST], rel=0.3)])
    ((labels, _),) = found
    assert labels["gen_ai_request_model"] == billed.calls[0][0].request["model"]
    assert ("gen_ai_agent_name" in labels) == (billed.dialect == STATELESS)
