"""Tokens, cost and chunks: whatever the provider sent, and wherever in its stream, is what is told everywhere."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.telemetry.reading import read, run_from
from ailoop_otel.terminal import Terminal
from ailoop_otel.view.options import TracesOptions
from ailoop_otel.view.traces import show
from tests.ailoop.behaviours import Billed
from tests.ailoop.process import STATELESS, Installation
from tests.ailoop.provider import Provider
from tests.ailoop.served import Served
from tests.serving.billed import UNBILLED, converse, figures, messages_to, of_all, priced, told
from tests.serving.conftest import Serve
from tests.serving.folder import Folder

Calls = list[list[Served]]


def test_every_figure_is_the_provider_s(
    installation: Installation, serve: Serve, folder: Folder, provider: Provider, tmp_path: Path
) -> None:
    """On spans, in metrics, in what `traces` shows and in a report: to the token, to the chunk and to the cent."""
    server = serve(installation, **priced(tmp_path))
    calls = asyncio.run(converse(server, provider, (*UNBILLED, *messages_to(server.dialect))))
    folder.wait(lambda folder: folder.spans(names.SPAN_SESSION))
    server.stop()
    with_agents = installation.dialect == STATELESS
    _on_spans(folder, calls, with_agents=with_agents)
    _in_metrics(folder, of_all(calls), with_agents=with_agents)
    _in_traces(folder.path, calls)
    _in_a_report(folder.path, calls)


def _on_spans(folder: Folder, calls: Calls, *, with_agents: bool) -> None:
    chats = [span for span in folder.spans() if span.name.startswith(names.SPAN_MODEL)]
    roots = folder.spans("sendUserMessage")
    (session,) = folder.spans(names.SPAN_SESSION)
    for span, call in zip(chats, of_all(calls), strict=True):
        assert told(span.attributes) == _close(figures([call]))
        assert span.attributes[names.MODEL_CHUNKS] == call.lines
        assert names.MODEL_UNREAD not in span.attributes
        assert not span.error
    for span, message in zip(roots, calls, strict=True):
        assert told(span.attributes) == _close(figures(message))
        assert span.attributes[names.OUTCOME] == "ok"
        # The earlier generation has no agents, and shows no reasoning.
        chunks = [len(call.chunks) if with_agents else len(call.behaviour.texts()) for call in message]
        assert span.attributes[names.STREAM_CHUNKS] == sum(chunks)
    assert told(session.attributes) == _close(figures(of_all(calls)))
    works = [span for span in folder.spans() if span.name.startswith(names.SPAN_AGENT)]
    for span, message in zip(works, calls if with_agents else [], strict=True):
        sums = figures(message)
        for name in (names.USAGE_INPUT, names.USAGE_OUTPUT):
            assert span.attributes.get(name.replace("ailoop.", "gen_ai.")) == sums.get(name)


def _in_metrics(folder: Folder, calls: list[Served], *, with_agents: bool) -> None:
    sums, labels = figures(calls), dict[str, set[Any]]()

    def value(metric: names.Metric, field: str = "sum") -> float:
        points = folder.points(metric.name)
        for point in points:
            for name, label in point["labels"].items():
                labels.setdefault(name, set()).add(label)
        return sum(float(point.get("asInt", point.get("asDouble", point.get(field, 0)))) for point in points)

    for metric, name in (
        (names.METRIC_INPUT_TOKENS, names.USAGE_INPUT),
        (names.METRIC_OUTPUT_TOKENS, names.USAGE_OUTPUT),
        (names.METRIC_CACHE_READ, names.USAGE_CACHE_READ),
        (names.METRIC_CACHE_WRITE, names.USAGE_CACHE_WRITE),
        (names.METRIC_REASONING, names.USAGE_REASONING),
        (names.METRIC_CALL_INPUT, names.USAGE_INPUT),
        (names.METRIC_CALL_OUTPUT, names.USAGE_OUTPUT),
        (names.METRIC_COST, names.COST),
    ):
        assert value(metric) == pytest.approx(sums[name]), metric.name
    for metric in (names.METRIC_MODEL_DURATION, names.METRIC_MODEL_FIRST_CHUNK, names.METRIC_CALL_INPUT):
        assert value(metric, "count") == len(calls), metric.name
    if with_agents:
        assert value(names.METRIC_AGENT_INFERENCES) == len(calls)
        assert value(names.METRIC_AGENT_TOOLS) == sum(
            isinstance(call.behaviour, Billed) and call.behaviour.tool != "" for call in calls
        )
    assert value(names.METRIC_MODEL_CHUNK, "count") == sum(call.outputs - 1 for call in calls)
    assert labels[names.COST_SOURCE] == {names.PROVIDER, names.COMPUTED}
    assert labels[names.GEN_AI_REQUEST_MODEL] == {call.request["model"] for call in calls}
    assert len(labels.get(names.GEN_AI_AGENT_NAME, ())) == with_agents


def _in_traces(place: Path, calls: Calls) -> None:
    lines = [json.loads(line) for line in _shown(place, json=True).splitlines()]
    exchanges = [line for line in lines if line["kind"] == "exchange"]
    (session,) = [line for line in lines if line["kind"] == "session"]
    for line, used in [*zip(exchanges, calls, strict=True), (session, of_all(calls))]:
        sums = figures(used)
        assert [line[name] for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")] == [
            sums.get(name)
            for name in (names.USAGE_INPUT, names.USAGE_OUTPUT, names.USAGE_CACHE_READ, names.USAGE_REASONING)
        ]
        assert line["cost_usd"] == (pytest.approx(sums[names.COST]) if sums else None)
        assert line["cost_computed"] == (sums.get(names.COST_SOURCE) == names.COMPUTED)
    text = _shown(place, json=False)
    for column in ("In/out", "Cached", "Reasoning", "Cost"):
        assert text.count(column) == 2, text
    assert "9,200/41" in text
    assert "$0.0125" in text
    assert "~$0.004" in text


def _in_a_report(place: Path, calls: Calls) -> None:
    run = run_from(read(place))
    for definition, name in (
        (definitions.INPUT_TOKENS, names.USAGE_INPUT),
        (definitions.CACHED_TOKENS, names.USAGE_CACHE_READ),
        (definitions.OUTPUT_TOKENS, names.USAGE_OUTPUT),
        (definitions.REASONING_TOKENS, names.USAGE_REASONING),
    ):
        sums = [figures(message).get(name) for message in calls]
        assert [each.value for each in run.of(definition)] == [each for each in sums if each is not None]
    costs = sorted(each.value for each in (*run.of(definitions.COST), *run.of(definitions.COST_COMPUTED)))
    assert costs == pytest.approx(sorted(f[names.COST] for f in map(figures, calls) if f))
    assert len([*run.of(definitions.COST_COMPUTED)]) == 1


def _shown(place: Path, *, json: bool, width: int = 200) -> str:
    console = Terminal(file=io.StringIO(), width=width, legacy_windows=False, _environ={})
    show(TracesOptions(str(place), json=json), console)
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def _close(sums: dict[str, Any]) -> dict[str, Any]:
    return {name: pytest.approx(value) if name == names.COST else value for name, value in sums.items()}
