"""Names that other packages do not promise: one module has them, and whichever is another one, telemetry arrives."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette

from ailoop_otel import names
from ailoop_otel.recording import internals
from tests.export.collector import Collector
from tests.recording.renaming import CHANGES
from tests.recording.rpc import RpcCollector

PACKAGE = Path(names.__file__).parents[1]
# AILoop's own functions are listed in the second.
MAY = {Path(internals.__file__), PACKAGE / "server" / "targets.py"}
# These have no underscore, and yet nobody promises them.
UNPROMISED = {"BoundedAttributes", "BoundedList", "DEFAULT_ON", "middleware_stack", "span_processor"}
# Of a named tuple they are public.
TUPLES = {"_fields", "_replace", "_asdict", "_make"}


def _private_names(path: Path) -> list[str]:
    """What a module mentions of another package's that begins with an underscore, or is not promised."""
    tree = ast.parse(path.read_text())
    own = TUPLES | _defined(path)
    return [name for node in ast.walk(tree) for name in _mentioned(node) if name not in own and _is_private(name)]


def _is_private(name: str) -> bool:
    parts = name.split(".")
    return any((part.startswith("_") and not part.startswith("__")) or part in UNPROMISED for part in parts)


@cache
def _defined(path: Path) -> frozenset[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node):
            found.add(node.attr)
    return frozenset(found)


@cache
def _defined_anywhere() -> frozenset[str]:
    return frozenset().union(*(_defined(path) for path in PACKAGE.rglob("*.py")))


def _is_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def _mentioned(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        ours = (node.module or "").startswith(PACKAGE.name)
        return [] if ours else [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Attribute):
        # What an object has of its own class; that may be in another module.
        return [] if _is_self(node) and node.attr in _defined_anywhere() else [node.attr]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("attr"):
        return [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return [node.value] if is_text and node.value.startswith(("opentelemetry.", "fastapi.", "starlette.")) else []


def test_one_module_has_them() -> None:
    """Every other leans on what is public only."""
    others = {path for path in PACKAGE.rglob("*.py") if path not in MAY}
    assert len(others) > 100
    assert {path.name: found for path in others if (found := _private_names(path))} == {}


def test_it_would_be_noticed() -> None:
    """The module that has them has them."""
    found = set(_private_names(Path(internals.__file__)))
    assert {"_batch_processor", "_preferred_temporality", "opentelemetry.sdk._shared_internal"} <= found


# Seconds are over soon on a busy machine: what is recorded is exported at once, at the end.
AT_THE_END = {
    "OTEL_BSP_SCHEDULE_DELAY": "600000",
    "OTEL_BLRP_SCHEDULE_DELAY": "600000",
    "OTEL_METRIC_EXPORT_INTERVAL": "600000",
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A real HTTP server that takes telemetry."""
    running = Collector()
    yield running
    running.close()


def _recorded(directory: Path, collector: Collector | RpcCollector, change: str, **variables: str) -> None:
    """Record one of everything into files and to a collector, in a process of its own, where the change is made."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AILOOP_OTEL_"))}
    both = {f"OTEL_{signal}_EXPORTER": "ailoop_json_files,otlp" for signal in ("TRACES", "METRICS", "LOGS")}
    here = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.recording.renaming", change],
        cwd=directory,
        env=plain | both | AT_THE_END | here | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "faults: 0\n", ""), done.stderr


def _in_files(directory: Path) -> dict[str, Any]:
    """What each signal's file holds, by signal."""
    found = {}
    for path in (directory / "ailoop-telemetry").iterdir():
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(lines) == 1
        found[path.name.split("-")[0]] = lines[0]
    return found


def _check_files(directory: Path) -> None:
    found = _in_files(directory)
    (scope,) = found["traces"]["resourceSpans"][0]["scopeSpans"]
    child, parent = sorted(scope["spans"], key=lambda span: str(span["name"]))
    assert (parent["name"], child["name"]) == ("parent", "child")
    assert (child["traceId"], child["parentSpanId"]) == (parent["traceId"], parent["spanId"])
    assert [each["key"] for each in child["attributes"]] == ["number", "reasons", "late"]
    assert child["status"]["code"] == 2
    assert child["events"][0]["name"] == "event"
    assert child["links"][0]["attributes"][0]["key"] == "of"
    (scope,) = found["metrics"]["resourceMetrics"][0]["scopeMetrics"]
    metrics = {metric["name"]: metric for metric in scope["metrics"]}
    assert metrics[names.METRIC_ERRORS.name]["sum"]["dataPoints"][0]["asInt"] == "1"
    (point,) = metrics[names.METRIC_FIRST_CHUNK.name]["histogram"]["dataPoints"]
    assert (point["count"], point["sum"]) == ("1", 0.5)
    assert point["exemplars"][0]["spanId"] == child["spanId"]
    (event,) = found["logs"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert (event["eventName"], event["spanId"]) == (names.EVENT_SESSION_START, parent["spanId"])


def _check_collector(collector: Collector | RpcCollector) -> None:
    (traces,) = [ExportTraceServiceRequest.FromString(body) for body in collector.bodies["/v1/traces"]]
    (resource,) = traces.resource_spans
    (scope,) = resource.scope_spans
    child, parent = sorted(scope.spans, key=lambda span: span.name)
    assert (child.trace_id, child.parent_span_id) == (parent.trace_id, parent.span_id)
    assert [each.key for each in child.attributes] == ["number", "reasons", "late"]
    assert (child.events[0].name, child.links[0].span_id, child.status.code) == ("event", parent.span_id, 2)
    (metrics,) = [ExportMetricsServiceRequest.FromString(body) for body in collector.bodies["/v1/metrics"]]
    sent = {metric.name: metric for metric in metrics.resource_metrics[0].scope_metrics[0].metrics}
    assert sent[names.METRIC_ERRORS.name].sum.data_points[0].as_int == 1
    assert sent[names.METRIC_FIRST_CHUNK.name].histogram.data_points[0].exemplars[0].span_id == child.span_id
    (logs,) = [ExportLogsServiceRequest.FromString(body) for body in collector.bodies["/v1/logs"]]
    (event,) = logs.resource_logs[0].scope_logs[0].log_records
    assert (event.event_name, event.span_id) == (names.EVENT_SESSION_START, parent.span_id)


@pytest.fixture
def rpc() -> Iterator[RpcCollector]:
    """The same by gRPC."""
    running = RpcCollector()
    yield running
    running.close()


BY_GRPC = ("nothing", "the module opentelemetry._logs", "the modules _internal", "the module _log_encoder", "_channel")


@pytest.mark.parametrize("change", BY_GRPC)
def test_by_grpc_too(tmp_path: Path, rpc: RpcCollector, change: str) -> None:
    """Its exporters are built otherwise than those over HTTP."""
    _recorded(tmp_path, rpc, change, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    _check_files(tmp_path)
    _check_collector(rpc)


# The exporters over HTTP do not have the last.
@pytest.mark.parametrize("change", [change for change in CHANGES if change != "_channel"])
def test_whatever_is_renamed_everything_arrives(tmp_path: Path, collector: Collector, change: str) -> None:
    """Spans, metrics and log events, in files and at a collector, without a line."""
    _recorded(tmp_path, collector, change)
    _check_files(tmp_path)
    _check_collector(collector)


@pytest.mark.parametrize("chosen", ["none", *(f"all but {name}" for name in names.FAST_PATHS)])
def test_without_a_fast_path_the_same_arrives(tmp_path: Path, collector: Collector, chosen: str) -> None:
    """Each alone, and all of them."""
    left = ",".join(name for name in names.FAST_PATHS if not chosen.endswith(f" {name}"))
    _recorded(tmp_path, collector, "nothing", AILOOP_OTEL_FAST_PATHS="none" if chosen == "none" else left)
    _check_files(tmp_path)
    _check_collector(collector)


def test_a_web_framework_that_says_nothing_of_its_stack() -> None:
    """Its stack counts as built: nothing is inserted twice."""
    assert not internals.is_stack_built(Starlette())
    assert internals.is_stack_built(SimpleNamespace(middleware_stack=object()))
    assert internals.is_stack_built(SimpleNamespace())


def test_a_tool_server_that_says_nothing_of_its_tools() -> None:
    """No tool is known: a name that a client invents must not become a label."""
    manager = SimpleNamespace(get_tool={"known": object()}.get)
    server = SimpleNamespace(_tool_manager=manager)
    assert internals.is_known_tool(server, "known")
    assert not internals.is_known_tool(server, "invented")
    assert not internals.is_known_tool(SimpleNamespace(), "known")


def test_a_tool_server_that_says_nothing_of_its_request() -> None:
    """The public way is taken where there is one, else there is none."""
    request = object()
    inner = SimpleNamespace(request_context=request)
    assert internals.request_context(SimpleNamespace(_mcp_server=inner)) is request
    assert internals.request_context(SimpleNamespace(_mcp_server=object(), get_context=lambda: inner)) is request
    assert internals.request_context(SimpleNamespace()) is None
