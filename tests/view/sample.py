"""Telemetry files as the server writes them: made by the real SDK and the real exporter, with fixed ids and times."""

from __future__ import annotations

import fcntl
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.exporter.otlp.json.file._log_exporter import FileLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    set_span_in_context,
)

from ailoop_otel import names

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]
_SPENT = (
    names.TIME_MODEL_WAIT, names.TIME_MODEL_STREAM, names.TIME_TOOLS, names.TIME_SERVER, names.TIME_LOOP_LAG
)  # fmt: skip
# 2025-11-22 14:00:00 UTC.
BEGIN = 1_763_820_000


class _FixedIds(IdGenerator):
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) | 1

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) | 1


class _Switched(SpanExporter):
    """Hands spans to the exporter of the file that is being written."""

    def __init__(self) -> None:
        self.file: FileSpanExporter | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        assert self.file is not None
        return self.file.export(spans)

    def switch(self, path: Path | None) -> None:
        if self.file is not None:
            self.file.shutdown()
        self.file = None if path is None else FileSpanExporter(path)


class Sample:
    """Writes one process's files; all times are seconds after 14:00:00 UTC of a fixed day."""

    def __init__(self, directory: Path, process: int = 101) -> None:
        self.directory = directory
        self._process = process
        self._files = 0
        directory.mkdir(parents=True, exist_ok=True)
        self._resource = Resource({"service.name": "ailoop", "service.instance.id": f"process-{process}"})
        self._provider = TracerProvider(
            resource=self._resource, id_generator=_FixedIds(process), shutdown_on_exit=False
        )
        self._exporter = _Switched()
        self._provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer(names.SCOPE)
        self.rotate()

    @property
    def path(self) -> Path:
        """The traces file that is being written."""
        return self._name("traces")

    def rotate(self) -> None:
        """Close the file and go on in the next."""
        self._files += 1
        self._exporter.switch(self.path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock that the embedded default's writer has on the file that it writes."""
        with self.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def close(self) -> None:
        """Close the file."""
        self._exporter.switch(None)

    def server(self, at: float, *, stop: bool = False) -> None:
        """The log event of a server that starts or stops."""
        provider = LoggerProvider(resource=self._resource, shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(FileLogExporter(self._name("logs"))))
        name = names.EVENT_SERVER_STOP if stop else names.EVENT_SERVER_START
        provider.get_logger(names.SCOPE).emit(LogRecord(timestamp=_ns(at), event_name=name))
        provider.shutdown()

    def metrics(self, *at: float, sessions: int = 1) -> None:
        """What its process says of itself each time, whatever else happens."""
        for each in at:
            point = {"timeUnixNano": str(_ns(each)), "asInt": str(sessions)}
            metric = {"name": names.METRIC_SESSION_RETAINED.name, "sum": {"dataPoints": [point]}}
            attributes = [
                {"key": name, "value": {"stringValue": value}} for name, value in self._resource.attributes.items()
            ]
            scoped = {"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": [metric]}]}
            with self._name("metrics").open("a") as file:
                file.write(json.dumps({"resourceMetrics": [scoped]}) + "\n")

    def span(
        self,
        name: str,
        at: float,
        seconds: float,
        attributes: Attributes | None = None,
        *,
        parent: Span | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        links: tuple[Span, ...] = (),
        error: bool = False,
    ) -> Span:
        """Write one span."""
        with self.open(name, at, attributes, parent=parent, kind=kind, links=links) as span:
            if error:
                span.set_status(Status(StatusCode.ERROR))
            span.end(_ns(at + seconds))
        return span

    @contextmanager
    def open(
        self,
        name: str,
        at: float,
        attributes: Attributes | None = None,
        *,
        parent: Span | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        links: tuple[Span, ...] = (),
    ) -> Iterator[Span]:
        """A span that is written only if it is ended."""
        yield self._tracer.start_span(
            name,
            context=set_span_in_context(parent or INVALID_SPAN),
            kind=kind,
            attributes=attributes,
            links=[Link(linked.get_span_context()) for linked in links],
            start_time=_ns(at),
        )

    def session(self, session_id: str, at: float, *, resumed: Span | None = None) -> Span:
        """A session begins."""
        attributes: dict[str, str | bool] = {names.SESSION_ID: session_id}
        if resumed is not None:
            attributes[names.SESSION_RESUMED] = True
        links = (resumed,) if resumed is not None else ()
        return self.span(names.SPAN_SESSION_START, at, 0.001, attributes, links=links)

    def session_end(
        self,
        start: Span,
        session_id: str,
        at: float,
        seconds: float,
        reason: str,
        turns: int,
        errors: int,
        used: Attributes | None = None,
    ) -> None:
        """A session ends; `at` is when it began."""
        attributes: dict[str, Any] = {
            **(used or {}),
            names.SESSION_ID: session_id,
            names.SESSION_TURNS: turns,
            names.SESSION_ERRORS: errors,
            names.SESSION_END_REASON: reason,
        }
        self.span(names.SPAN_SESSION, at, seconds, attributes, parent=start, error=reason == "error")

    def call(self, method: str, at: float, seconds: float, session_id: str = "", *, error: bool = False) -> None:
        """A JSON-RPC call that is no exchange."""
        attributes = {names.RPC_SYSTEM: "jsonrpc", names.RPC_METHOD: method}
        if session_id:
            attributes[names.SESSION_ID] = session_id
        self.span(method, at, seconds, attributes, kind=SpanKind.SERVER, error=error)

    def exchange(
        self,
        session_id: str,
        at: float,
        seconds: float,
        outcome: str = "ok",
        *,
        first_chunk: float | None = 0.3,
        chunks: int = 12,
        max_gap: float = 0.08,
        error_type: str = "",
        session: Span | None = None,
        timeout: str = "",
        deadline: float = 30.0,
        recovered: bool = False,
        finished: bool = True,
        inside: bool = False,
        spent: Sequence[float] = (),
        blocked: str = "",
        client_trace: str = "",
        used: Attributes | None = None,
    ) -> Span:
        """A message and its answer; without `finished` only what comes before its root."""
        common = {names.SESSION_ID: session_id}
        attributes: dict[str, Any] = {
            **common,
            names.RPC_SYSTEM: "jsonrpc",
            names.RPC_METHOD: "sendUserMessage",
            names.JSONRPC_ID: "7",
            names.DIALECT: "stateless",
            names.MESSAGE_SIZE: 184,
            names.OUTCOME: outcome,
            **(used or {}),
        }
        if client_trace:
            attributes[names.CLIENT_TRACE_ID] = client_trace
        links = (session,) if session is not None else ()
        with self.open("sendUserMessage", at, attributes, kind=SpanKind.SERVER, links=links) as root:
            if inside:
                self._inside(root, at, seconds, common)
            if timeout:
                late = {
                    **common,
                    names.TIMEOUT_PHASE: timeout,
                    names.TIMEOUT_DEADLINE: deadline,
                    names.TIMEOUT_DETECTION_DELAY: 0.0021,
                    names.TIMEOUT_WAITING_FOR: "model",
                }
                silent = at if timeout == "first_chunk" else at + seconds - deadline - 1
                self.span(names.SPAN_AI_TIMEOUT, silent, deadline + 0.0021, late, parent=root, error=True)
            if first_chunk is not None:
                self.span(names.SPAN_FIRST_CHUNK, at, first_chunk, common, parent=root)
                root.set_attribute(names.TIME_TO_FIRST_CHUNK, first_chunk)
                stream = {
                    **common,
                    names.STREAM_CHUNKS: chunks,
                    names.STREAM_MAX_GAP: max_gap,
                    names.STREAM_SIZE: 1234 * chunks,
                }
                self.span(names.SPAN_STREAM, at + first_chunk, seconds - first_chunk, stream, parent=root)
            for name, value in zip(_SPENT, spent, strict=False):
                root.set_attribute(name, value)
            if blocked:
                root.set_attributes({names.BLOCKED_BY: blocked, names.BLOCKED_TIME: spent[-1]})
            if recovered:
                root.set_attribute(names.TIMEOUT_RECOVERED, True)
            if outcome != "ok":
                root.set_attribute(names.ERROR_TYPE, error_type or outcome)
                root.set_status(Status(StatusCode.ERROR))
            if finished:
                root.end(_ns(at + seconds))
        return root

    def _inside(self, root: Span, at: float, seconds: float, common: Attributes) -> None:
        model: Attributes = {
            **common,
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "openai/gpt-4o",
            "gen_ai.usage.input_tokens": 1210,
            "gen_ai.usage.output_tokens": 85,
            "gen_ai.response.finish_reasons": "stop",
        }
        tool: Attributes = {**common, "gen_ai.tool.name": "list_directory"}
        with self.open("invoke_agent a", at + 0.002, common, parent=root) as agent:
            self.span("chat openai/gpt-4o", at + 0.01, seconds * 0.3, model, parent=agent, kind=SpanKind.CLIENT)
            self.span("execute_tool list_directory", at + 0.02 + seconds * 0.3, 0.04, tool, parent=agent)
            begin = 0.07 + seconds * 0.3
            self.span(
                "chat openai/gpt-4o", at + begin, seconds * 0.99 - begin, model, parent=agent, kind=SpanKind.CLIENT
            )
            agent.end(_ns(at + seconds * 0.995))

    def _name(self, signal: str) -> Path:
        return self.directory / f"{signal}-20251122T140000-{self._process}-{self._files}.jsonl"


def a_day(directory: Path) -> None:
    """What a reader should be able to make sense of: all outcomes, an exchange that hangs, a resumed session."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in _day().items():
        (directory / name).write_bytes(content)


@cache
def _day() -> dict[str, bytes]:
    """The files by their names; the SDK makes them once."""
    with TemporaryDirectory() as folder:
        _write_day(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def _write_day(directory: Path) -> None:
    first, second, third = (f"{head}-58cc-4372-a567-0e02b2c3d479" for head in ("f47ac10b", "9b2e7c44", "1c9d0a3e"))
    sample = Sample(directory)
    sample.server(0)
    one = sample.session(first, 3)
    sample.call("startSession", 2.9, 0.0042, first)
    sample.exchange(first, 5, 1.24, session=one, inside=True, spent=(0.3, 0.88, 0.04, 0.02, 0.0001))
    sample.exchange(
        first, 12, 2.31, session=one, first_chunk=0.412, chunks=37, max_gap=0.154, spent=(0.2, 0.1, 2.0, 0.01, 1.9)
    )
    two = sample.session(second, 20)
    sample.call("startSession", 19.9, 0.0038, second)
    sample.exchange(second, 21, 0.62, "ai_error", session=two, first_chunk=None, error_type="500")
    sample.exchange(
        first, 30, 12.8, session=one, first_chunk=7.9, chunks=210, max_gap=1.2,
        spent=(8.1, 4.6, 0, 0.1, 6.9), blocked="execute_command",
    )  # fmt: skip
    sample.rotate()
    sample.exchange(
        first, 50, 42.1, "ai_timeout", session=one, timeout="stall", chunks=9, max_gap=30.0, inside=True,
        spent=(0.6, 41.0, 0.04, 0.5, 6.9), blocked="execute_command",
    )  # fmt: skip
    sample.exchange(second, 95, 33.4, session=two, timeout="first_chunk", first_chunk=31.2, recovered=True)
    sample.exchange(second, 140, 3.3, "disconnected", session=two, chunks=4)
    sample.session_end(two, second, 20, 124, "disconnected", 3, 2)
    sample.call("getAgentStates", 150, 0.0007)
    sample.call("nosuch", 151, 0.0002, error=True)
    sample.exchange(first, 160, 0.03, "protocol_error", session=one, first_chunk=None, error_type="-32602")
    sample.exchange(first, 161, 4.0, "cut", session=one, chunks=3)
    sample.exchange(first, 170, 1.1, "no_answer", session=one, first_chunk=None)
    sample.exchange(first, 175, 0.4, "server_error", session=one, first_chunk=None, error_type="ConnectionResetError")
    three = sample.session(third, 190, resumed=two)
    sample.exchange(third, 191, 8, "cancelled", session=three, first_chunk=0.9)
    sample.exchange(third, 200, 31, session=three, timeout="first_chunk", first_chunk=None, finished=False, inside=True)
    sample.close()


def _ns(seconds: float) -> int:
    return (BEGIN * 1_000_000 + round(seconds * 1e6)) * 1000
