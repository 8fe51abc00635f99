"""What was recorded without a collector is then in a real Jaeger, identical span for span."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from ailoop_otel import cli
from collector.stack import Ports, Program, Stack, free_ports, url
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.demo.conversations import CONVERSATIONS, hold
from tests.replay import rich
from tests.replay.exports import traces
from tests.stack.backends import eventually
from tests.stack.conftest import jaeger_program

__all__ = ["jaeger_program"]

pytestmark = pytest.mark.backend
ENVIRONMENT = {
    "AILOOP_OTEL_ENABLED": "true",
    "AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK": "1",
    "AILOOP_OTEL_AI_TIMEOUT_STALL": "1",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
}
Json = dict[str, Any]
Spans = dict[str, tuple[Json, Json, Json]]


@pytest.fixture(scope="module")
def conversations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server recorded in a folder while it was talked to: tools, timeouts, errors, content."""
    folder = tmp_path_factory.mktemp("recorded")
    variables = {**ENVIRONMENT, "AILOOP_OTEL_DIRECTORY": str(folder)}
    with Provider() as provider, serving(standin(STATELESS), provider.plain_environment() | variables) as server:
        asyncio.run(_talk(server.port))
        provider.release()
        server.stop()
    return folder


async def _talk(port: int) -> None:
    await asyncio.gather(*(hold(conversation, port) for conversation in CONVERSATIONS))


@pytest.fixture(scope="module")
def faithful(jaeger_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """A Jaeger that keeps spans as they came."""
    ports = free_ports()
    configuration = Path(__file__).with_name("jaeger.yaml")
    folder = tmp_path_factory.mktemp("jaeger")
    health = f"{url(ports.jaeger_health)}/status"
    program = Program(
        "jaeger", [str(jaeger_program), "--config", str(configuration)], health, folder, ports.variables()
    )
    program.start()
    try:
        program.wait()
        yield ports
    finally:
        program.stop()


def test_a_server_s_recording_arrives_identical(
    conversations: Path, faithful: Ports, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ids, parents, names, kinds, nanoseconds, attributes with their types, links, status, resource, scope."""
    recorded = _recorded(conversations)
    assert {name.split()[0] for name in _names(recorded)} >= {
        "sendUserMessage", "startSession", "chat", "execute_tool", "invoke_agent", "ailoop.first_chunk",
        "ailoop.stream", "ailoop.ai_timeout", "ailoop.session", "ailoop.session.start",
    }  # fmt: skip
    assert _replay(conversations, faithful, tmp_path) == 0
    assert f"Sent {len(recorded)} spans" in capsys.readouterr().out
    assert _seen(recorded, faithful) == recorded


def test_everything_that_a_span_can_hold_arrives_identical(faithful: Ports, tmp_path: Path) -> None:
    """Every type of value at its extremes, events, trace state, dropped counts, every kind and status."""
    rich.write(tmp_path / "traces.jsonl")
    recorded = _recorded(tmp_path)
    assert len(recorded) == 7
    assert _replay(tmp_path, faithful, tmp_path) == 0
    assert _seen(recorded, faithful) == recorded


def test_one_span_that_jaeger_cannot_read_does_not_cost_its_line(
    faithful: Ports, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It answers 400 to the whole line; all the others of it arrive."""
    line = traces("spoilt", spans=20)
    bad = b'"attributes":[{"key":"a","value":{"intValue":"%d"}}],"startTime' % 2**64
    (tmp_path / "traces.jsonl").write_bytes(line.replace(b'"startTime', bad, 12).replace(bad, b'"startTime', 11))
    assert _replay(tmp_path, faithful, tmp_path) == 1
    assert "1 span refused with 400" in capsys.readouterr().err
    trace = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
    seen = eventually(lambda: _trace(trace, faithful), lambda seen: len(seen) >= 19)
    assert sorted(seen) == [f"{number:016x}" for number in range(1, 21) if number != 12]


def test_a_line_that_is_too_large_for_jaeger_arrives_in_parts(faithful: Ports, tmp_path: Path) -> None:
    """A receiver accepts 20 MiB by default; captured content can be more."""
    content = b'"attributes":[{"key":"a","value":{"stringValue":"%s"}}],"startTime' % (b"x" * 8_000_000)
    line = traces("large", spans=4).replace(b'"startTime', content)
    (tmp_path / "traces.jsonl").write_bytes(line)
    assert _replay(tmp_path, faithful, tmp_path) == 0
    trace = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
    assert len(eventually(lambda: _trace(trace, faithful), lambda seen: len(seen) >= 4)) == 4


def test_replayed_again_it_is_there_once(
    conversations: Path, faithful: Ports, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is sent a second time, from here or from a copy elsewhere."""
    copy = Path(shutil.copytree(conversations, tmp_path / "copy"))
    assert _replay(conversations, faithful, tmp_path) == 0
    capsys.readouterr()
    for folder in (conversations, copy):
        assert _replay(folder, faithful, tmp_path) == 0
        assert capsys.readouterr().out.startswith("Sent nothing")


def test_it_arrives_through_the_shipped_collector_and_store(
    conversations: Path, jaeger_program: Path, tmp_path: Path
) -> None:
    """As it was recorded, but for what Jaeger's store on disk makes of it."""
    recorded = _recorded(conversations)
    with Stack(tmp_path / "stack", free_ports(), with_prometheus=False, notify=str) as stack:
        assert _replay(conversations, stack.ports, tmp_path) == 0
        seen = _seen(recorded, stack.ports)
    assert {id: _stored(*parts) for id, parts in seen.items()} == {
        id: _stored(*parts) for id, parts in recorded.items()
    }


def _replay(folder: Path, ports: Ports, state: Path) -> int:
    return cli.main(["replay", str(folder), "--endpoint", ports.otlp, "--state", str(state / "state")])


def _recorded(folder: Path) -> Spans:
    lines = [line for path in folder.glob("traces*.jsonl") for line in path.read_text().splitlines()]
    return _spans([json.loads(line) for line in lines])


def _seen(recorded: Spans, ports: Ports) -> Spans:
    """The spans of all recorded traces, once as many have come as were recorded; none may be there twice."""
    identifiers = {span["traceId"] for span, _, _ in recorded.values()}

    def ask() -> Spans:
        return {id: parts for trace in identifiers for id, parts in _trace(trace, ports).items()}

    return eventually(ask, lambda seen: len(seen) >= len(recorded))


def _trace(identifier: str, ports: Ports) -> Spans:
    answer = requests.get(f"{ports.jaeger}/api/v3/traces/{identifier}", timeout=30)
    return _spans([answer.json()["result"]] if answer.status_code == 200 else [])


def _spans(documents: list[Json]) -> Spans:
    """Span, resource and scope by span id, in a form in which equal things are equal.

    Without the addresses of schemas: Jaeger's query API gives none back.
    """
    found: Spans = {}
    for document in documents:
        for resource in document["resourceSpans"]:
            for scoped in resource["scopeSpans"]:
                for span in scoped["spans"]:
                    assert span["spanId"] not in found, f"{span['name']} is there twice"
                    found[span["spanId"]] = (
                        _even(span),
                        _even(resource["resource"]),
                        _even(scoped["scope"]),
                    )
    return found


def _names(spans: Spans) -> set[str]:
    return {span["name"] for span, _, _ in spans.values()}


def _even(content: Any) -> Any:
    """Attributes have no order, a double no one spelling, and what is empty may as well be absent."""
    if isinstance(content, list):
        return [_even(member) for member in content]
    if not isinstance(content, dict):
        return content
    even = {key: _even(value) for key, value in content.items()}
    even = {key: value for key, value in even.items() if value not in ([], "") or key in _VALUES}
    if "attributes" in even:
        even["attributes"] = {member["key"]: member["value"] for member in even["attributes"]}
    if "doubleValue" in even:
        even["doubleValue"] = float(even["doubleValue"])
    if "bytesValue" in even:
        even["bytesValue"] = base64.b64decode(even["bytesValue"])
    return even


_VALUES = ("stringValue", "values")


def _stored(*parts: Json) -> Any:
    """Jaeger's store on disk keeps a list as its JSON, no flags, and for a link what kind of reference it is."""
    if len(parts) > 1:
        return tuple(_stored(part) for part in parts)
    (content,) = parts
    if isinstance(content, list):
        return [_stored(member) for member in content]
    if not isinstance(content, dict):
        return content
    if "arrayValue" in content:
        values = [value for member in content["arrayValue"]["values"] for value in member.values()]
        return {"stringValue": json.dumps(values, separators=(",", ":"))}
    kept = {key: _stored(value) for key, value in content.items() if key not in ("flags", "opentracing.ref_type")}
    return {key: value for key, value in kept.items() if value or key != "attributes"}
