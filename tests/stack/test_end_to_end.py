"""A server that was given environment variables only: what its client saw is what Jaeger and Prometheus tell."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from statistics import median
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from ailoop_otel import names
from collector.stack import COLLECTOR, Stack, url
from tests.ailoop.provider import Provider
from tests.stack.backends import Jaeger, Prometheus, Span, eventually
from tests.stack.traffic import CLIENT_TRACE, Told, environment, run

OUTCOMES = {
    "ok": "ok",
    "tool": "ok",
    "late": "ok",
    "hidden": "ai_error",
    "cut": "cut",
    "timeout": "ai_timeout",
    "left": "disconnected",
}
ROOT = "sendUserMessage"
Traces = dict[str, list[Span]]


@pytest.fixture(scope="module")
def told(stack: Stack, provider: Provider) -> Told:
    """One run of the scenario."""
    return run(provider, environment(stack.ports.otlp, "ailoop"))


@pytest.fixture(scope="module")
def seen(told: Told, traces: Jaeger) -> Traces:
    """All traces in Jaeger, by id, once all sessions are told to have ended."""

    def ended(found: list[list[Span]]) -> bool:
        return sum(span.name == names.SPAN_SESSION for trace in found for span in trace) == len(told.sessions)

    found = eventually(lambda: traces.search(told.service, limit=500), ended)
    return {trace[0].trace: trace for trace in found}


@pytest.fixture(scope="module")
def exchanges(seen: Traces) -> list[Span]:
    """The root spans of messages, oldest first."""
    roots = [span for trace in seen.values() for span in trace if span.name == ROOT]
    return sorted(roots, key=lambda span: span.start)


def of_outcome(exchanges: list[Span], outcome: str) -> list[Span]:
    return [span for span in exchanges if span.attributes[names.OUTCOME] == outcome]


def tree(trace: list[Span], parent: str = "") -> dict[str, object]:
    """The names below a span, in the order of their start."""
    below = sorted((span for span in trace if span.parent == parent), key=lambda span: span.start)
    return {span.name: tree(trace, span.id) for span in below}


def test_every_message_is_one_trace_and_every_trace_one_message(told: Told, exchanges: list[Span]) -> None:
    """None doubled, none missing, none in another's trace, each with the outcome that its client saw."""
    assert len({span.trace for span in exchanges}) == len(exchanges) == len(told.exchanges)
    wanted = Counter(OUTCOMES[kind] for kind, _ in told.exchanges)
    assert Counter(span.attributes[names.OUTCOME] for span in exchanges) == wanted


def test_the_tree_leads_from_the_message_to_agent_model_and_tool(seen: Traces, exchanges: list[Span]) -> None:
    """With every parent in the trace."""
    (tool,) = [span for span in exchanges if any(s.name.startswith(names.SPAN_TOOL) for s in seen[span.trace])]
    (root,) = tree(seen[tool.trace]).items()
    below = root[1]
    assert isinstance(below, dict)
    assert root[0] == ROOT
    assert set(below) == {"invoke_agent a", names.SPAN_FIRST_CHUNK, names.SPAN_STREAM}
    kinds = Counter(span.name.split()[0] for span in seen[tool.trace])
    assert kinds["chat"] == 2
    agent = next(span for span in seen[tool.trace] if span.name == "invoke_agent a")
    assert {span.parent for span in seen[tool.trace] if span.name.startswith(("chat ", "execute_tool "))} == {agent.id}
    for trace in seen.values():
        ids = {span.id for span in trace} | {""}
        assert {span.parent for span in trace} <= ids


def test_the_times_are_those_that_the_client_saw(told: Told, exchanges: list[Span]) -> None:
    """First chunk and completion of the good answers; a busy machine delivers some frames later, but not most."""
    good = [e for kind, e in told.exchanges if OUTCOMES[kind] == "ok"]
    spans = of_outcome(exchanges, "ok")
    pairs = zip(sorted(e.seconds for e in good), sorted(span.duration / 1e6 for span in spans), strict=True)
    assert close(pairs)
    firsts = zip(
        sorted(e.seconds_to_first_text for e in good),
        sorted(float(span.attributes[names.TIME_TO_FIRST_CHUNK]) for span in spans),
        strict=True,
    )
    assert close(firsts)


def close(pairs: Iterable[tuple[float, float]]) -> bool:
    """Whether the client saw everything after the server did, and in the middle within 100 ms."""
    later = [client - server for client, server in pairs]
    return min(later) > -0.002 and median(later) < 0.1 and max(later) < 1


def test_errors_are_flagged_where_they_happened_and_nowhere_else(seen: Traces, exchanges: list[Span]) -> None:
    """The provider's 500 that the server hides is on the model call and on the message."""
    assert {span.attributes[names.OUTCOME] for span in exchanges if span.error} == set(OUTCOMES.values()) - {"ok"}
    assert not [span for span in of_outcome(exchanges, "ok") if span.error]
    (hidden,) = of_outcome(exchanges, "ai_error")
    flagged = {span.name.split()[0]: span.attributes[names.ERROR_TYPE] for span in seen[hidden.trace] if span.error}
    assert flagged[ROOT] == flagged["chat"] == "500"


def test_a_late_answer_has_its_timeout_in_its_trace(seen: Traces, exchanges: list[Span]) -> None:
    """And is no error itself: it came after all."""
    (late,) = [span for span in exchanges if span.attributes.get(names.TIMEOUT_RECOVERED) is True]
    (timeout,) = [span for span in seen[late.trace] if span.name == names.SPAN_AI_TIMEOUT]
    assert timeout.error
    assert not late.error
    assert timeout.attributes[names.TIMEOUT_PHASE] == "first_chunk"


def test_every_message_links_to_its_session(told: Told, seen: Traces, exchanges: list[Span]) -> None:
    """The link's other end is in Jaeger; each session has as many turns as its client sent."""
    starts = {(span.trace, span.id): span for trace in seen.values() for span in trace
              if span.name == names.SPAN_SESSION_START}  # fmt: skip
    turns: Counter[str] = Counter()
    for span in exchanges:
        (start,) = [starts[link] for link in span.links if link in starts]
        assert start.attributes[names.SESSION_ID] == span.attributes[names.SESSION_ID]
        turns[span.attributes[names.SESSION_ID]] += 1
    assert turns == told.sessions
    sessions = [span for trace in seen.values() for span in trace if span.name == names.SPAN_SESSION]
    assert {s.attributes[names.SESSION_ID]: s.attributes[names.SESSION_TURNS] for s in sessions} == told.sessions
    reasons = Counter(span.attributes[names.SESSION_END_REASON] for span in sessions)
    assert reasons == {"stopped": len(told.sessions) - 1, "disconnected": 1}


def test_jaeger_has_nothing_to_warn_of(seen: Traces) -> None:
    """No span without length, none before its parent, none twice."""
    assert [(span.name, span.warnings) for trace in seen.values() for span in trace if span.warnings] == []
    ids = [(span.trace, span.id) for trace in seen.values() for span in trace]
    assert len(ids) == len(set(ids))


def test_every_span_says_whose_session_it_belongs_to(seen: Traces, exchanges: list[Span]) -> None:
    """So that a search of a session finds all of it."""
    ours = [span for exchange in exchanges for span in seen[exchange.trace]]
    assert {span.name for span in ours if names.SESSION_ID not in span.attributes} == set()


def test_the_link_on_a_session_id_finds_the_sessions_traces(
    stack: Stack, told: Told, traces: Jaeger, exchanges: list[Span]
) -> None:
    """As Jaeger serves the pattern to its UI, filled in as the UI does, asked of the query API."""
    page = requests.get(f"{stack.ports.jaeger}/search", timeout=5).text
    configured = re.search(r"^JAEGER_CONFIG ?= ?(.*);$", page, re.MULTILINE)
    assert configured is not None
    (pattern,) = [each["url"] for each in json.loads(configured[1])["linkPatterns"] if each["key"] == names.SESSION_ID]
    session = max(told.sessions, key=lambda each: told.sessions[each])
    wished = {
        name: value[0] for name, value in parse_qs(urlsplit(pattern.replace("#{session.id}", session)).query).items()
    }
    wished.pop("lookback")
    found = traces.get("/api/traces", **wished)["data"]
    roots = {span.trace for span in exchanges if span.attributes[names.SESSION_ID] == session}
    assert roots <= {trace["traceID"] for trace in found}
    assert len(roots) == told.sessions[session]


SEARCHES = re.findall(r"`(/search\?[^`]+)`", (COLLECTOR / "README.md").read_text())


@pytest.mark.parametrize("link", SEARCHES)
def test_the_searches_of_the_readme_find_something(link: str, told: Told, traces: Jaeger, seen: Traces) -> None:
    """Asked of the query API as Jaeger's page asks it; nothing in the scenario takes as long as the slowest do."""
    wished = {name: value[0] for name, value in parse_qs(urlsplit(link).query).items()}
    del wished["lookback"]
    if "minDuration" in wished:
        assert traces.get("/api/traces", **wished)["data"] == []
        wished["minDuration"] = "100ms"
    if "session.id" in link:
        wished["tags"] = wished["tags"].replace("ID", next(iter(told.sessions)))
    if "client.trace_id" in link:
        wished["tags"] = wished["tags"].replace("ID", CLIENT_TRACE)
    assert traces.get("/api/traces", **wished)["data"]


# What the scenario does not do: slash commands, calls of MCP tools, and telemetry that the collector does not take.
NOT_PRODUCED = {
    names.METRIC_COMMAND_DURATION.name,
    names.METRIC_MCP_SERVER.name, names.METRIC_MCP_CLIENT.name,
    *(metric.name for metric in names.METRICS if metric.name.startswith("ailoop_otel.telemetry.")),
}  # fmt: skip
UNITS = {"s": "_seconds", "By": "_bytes"}


def in_prometheus(metric: names.Metric) -> str:
    """A metric's name there: OpenTelemetry's Prometheus compatibility rules."""
    name = metric.name.replace(".", "_") + UNITS.get(metric.unit, "")
    return name + ("_total" if metric.kind in ("counter", "observable_counter") else "")


@pytest.mark.parametrize("metric", [m for m in names.METRICS if m.name not in NOT_PRODUCED], ids=lambda m: m.name)
def test_every_metric_is_in_prometheus_with_its_unit(
    metric: names.Metric, told: Told, metrics: Prometheus, stack: Stack
) -> None:
    """Under the name that its unit and kind give it, with its description."""
    name = in_prometheus(metric)
    series = f"{name}_count" if metric.kind == "histogram" else name
    found = eventually(lambda: metrics.query(f'{series}{{job="{told.service}"}}'))
    assert found
    # Shown to Prometheus by the collector, which holds a batch back for a moment.
    shown = f"{url(stack.ports.collector_metrics)}/metrics"
    help_line = re.compile(rf"^# HELP {re.escape(name)} (.*)$", re.MULTILINE)
    described = eventually(lambda: help_line.findall(requests.get(shown, timeout=10).text))
    assert described == [metric.description]


@pytest.fixture(scope="module")
def ask(told: Told, metrics: Prometheus) -> Callable[[str, float], bool]:
    """A function that asks until a metric has a value, and returns whether it did."""

    def asked(expression: str, value: float) -> bool:
        told_so = eventually(lambda: metrics.value(expression.replace("JOB", f'job="{told.service}"')),
                             lambda got: got is not None and abs(got - value) < 1e-6)  # fmt: skip
        return told_so is not None

    return asked


def test_prometheus_counts_what_the_client_counted(told: Told, ask: Callable[[str, float], bool]) -> None:
    """Exchanges by outcome, first chunks, errors, timeouts, sessions, turns, connections, model calls."""
    kinds = told.counts()
    for outcome in set(OUTCOMES.values()):
        count = sum(n for kind, n in kinds.items() if OUTCOMES[kind] == outcome)
        assert ask(f'sum(ailoop_exchange_duration_seconds_count{{JOB,ailoop_exchange_outcome="{outcome}"}})', count)
    assert ask(
        "sum(ailoop_exchange_time_to_first_chunk_seconds_count{JOB})",
        sum(kinds.values()) - kinds["hidden"] - kinds["timeout"],
    )
    for outcome in ("ai_error", "cut", "disconnected"):
        assert ask(f'sum(ailoop_errors_total{{JOB,ailoop_exchange_outcome="{outcome}"}})', 1)
    timeouts = kinds["late"] + kinds["timeout"]
    assert ask('sum(ailoop_errors_total{JOB,ailoop_exchange_outcome="ai_timeout"})', timeouts)
    assert ask("sum(ailoop_ai_timeout_detection_delay_seconds_count{JOB})", timeouts)
    assert ask("sum(ailoop_ai_timeout_report_delay_seconds_count{JOB})", kinds["timeout"])
    assert ask("sum(ailoop_session_duration_seconds_count{JOB})", len(told.sessions))
    assert ask("sum(ailoop_session_turns_sum{JOB})", len(told.exchanges))
    assert ask("sum(ailoop_connection_duration_seconds_count{JOB})", len(told.sessions))
    assert ask("sum(gen_ai_client_inference_duration_seconds_count{JOB})", sum(kinds.values()) + kinds["tool"])
    assert ask("sum(ailoop_exchange_active{JOB})", 0)
    assert ask("sum(ailoop_connection_active{JOB})", 0)
    assert ask("sum(ailoop_otel_spans_dropped_total{JOB})", 0)
    assert ask("sum(ailoop_otel_internal_errors_total{JOB})", 0)


def test_the_sum_of_durations_is_the_clients(told: Told, metrics: Prometheus) -> None:
    """Seconds, not milliseconds: what the client waited in all good answers."""
    good = sum(e.seconds or 0 for kind, e in told.exchanges if OUTCOMES[kind] == "ok")
    expression = f'sum(ailoop_exchange_duration_seconds_sum{{job="{told.service}",ailoop_exchange_outcome="ok"}})'
    assert eventually(lambda: metrics.value(expression)) == pytest.approx(good, rel=0.1)
