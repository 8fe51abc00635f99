"""OTLP over gRPC, to a real server: the same promises as over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from ailoop_otel.settings import Settings
from tests.export.conftest import Start
from tests.export.recording import span, wait_for
from tests.reliability.balance import Balance

Lines = Callable[[], list[str]]
FOLDER = Path("ailoop-telemetry")


class Collector:
    """Takes requests of up to 2 kB, or aborts each with `status`."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.status: grpc.StatusCode | None = None
        self.response = ExportTraceServiceResponse()
        self._server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", 2_000)])
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def Export(self, request: ExportTraceServiceRequest, context: grpc.ServicerContext) -> ExportTraceServiceResponse:
        """Answer an export."""
        if self.status is not None:
            context.abort(self.status, "not now")
        self.names += [
            found.name for resource in request.resource_spans for scope in resource.scope_spans for found in scope.spans
        ]
        return self.response

    def close(self) -> None:
        """Stop serving."""
        self._server.stop(0).wait(5)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A real gRPC server, to which the environment points for traces."""
    running = Collector()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{running.port}")
    yield running
    running.close()


@pytest.mark.parametrize(
    "status", ["UNAVAILABLE", "UNAUTHENTICATED", "UNIMPLEMENTED", "INTERNAL", "RESOURCE_EXHAUSTED"]
)
@pytest.mark.fault(
    "collector",
    theirs="A collector over gRPC refuses: five of its statuses",
    promise="Kept on disk and sent later; one line when it begins, one when it is over",
)
def test_what_is_refused_is_kept_and_sent_later(
    collector: Collector, start: Start, lines: Lines, balance: Balance, status: str
) -> None:
    """One line when it begins and one when it is over."""
    collector.status = grpc.StatusCode[status]
    pipeline = start()
    span(pipeline, "one")
    pipeline.tracer_provider.force_flush()
    wait_for(lambda: pipeline.kept() == {("traces",): 1})
    wait_for(lambda: len(lines()) == 1)
    assert "not getting through" in lines()[0]
    collector.status = None
    wait_for(lambda: len(lines()) == 2)
    assert collector.names == ["one"]
    assert list(FOLDER.glob("*.jsonl")) == []
    balance("spans", made=1, delivered=len(collector.names), lost=pipeline.dropped())


@pytest.mark.parametrize("spool", [True, False])
@pytest.mark.fault(
    "collector",
    theirs="A gRPC message is larger than the collector's limit",
    promise="Halved until it fits; one that does not fit alone is named, and kept or counted",
)
def test_what_is_too_large_is_halved(
    collector: Collector, start: Start, lines: Lines, balance: Balance, spool: bool
) -> None:
    """A message over the server's limit fails as a whole; each span that fits arrives."""
    pipeline = start(Settings(spool=spool))
    for number in range(40):
        span(pipeline, f"span {number}")
    span(pipeline, "huge " + "x" * 3_000)
    pipeline.tracer_provider.force_flush()
    wait_for(lambda: len(lines()) == 1)
    assert len(collector.names) == 40
    assert pipeline.losses() == ({} if spool else {("traces", "too_large"): 1})
    (line,) = lines()
    assert "huge xxx" in line
    assert "Raise the collector's limit" in line
    # The batch lies there as a whole, with a note of what of it was taken.
    kept = sum("huge xxx" in path.read_text() for path in FOLDER.glob("undelivered-traces-*.jsonl"))
    balance("spans", made=41, delivered=len(collector.names), kept=kept, lost=pipeline.dropped())


@pytest.mark.fault(
    "collector",
    theirs="A collector over gRPC rejects a part",
    promise="Counted by signal, with its reason",
)
def test_partial_success_is_counted(collector: Collector, start: Start, lines: Lines, balance: Balance) -> None:
    """With the collector's reason."""
    collector.response.partial_success.rejected_spans = 2
    collector.response.partial_success.error_message = "too old"
    pipeline = start()
    for _ in range(3):
        span(pipeline)
    pipeline.tracer_provider.force_flush()
    wait_for(lambda: pipeline.losses() == {("traces", "rejected"): 2})
    assert "too old" in lines()[0]
    balance("spans", made=3, delivered=1, lost=pipeline.dropped())
