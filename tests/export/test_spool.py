"""A real HTTP server that redirects, shows a page, refuses or is away: nothing is lost, and what is said is right."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from ailoop_otel.export.pipeline import Pipeline
from ailoop_otel.replay.acknowledged import NAME
from ailoop_otel.settings import Settings
from tests.export.child import in_child
from tests.export.conftest import Start
from tests.export.recording import record, span, wait_for
from tests.reliability.balance import Balance
from tests.replay.receiver import Asked, Receiver, Reply

Lines = Callable[[], list[str]]
FOLDER = Path("ailoop-telemetry")
PAGE = Reply(200, b"<html>hello</html>", {"Content-Type": "text/html; charset=utf-8"})


class Limited(Receiver):
    """Answers 413 to what is larger than `limit` bytes; `accepted` is what was answered as OTLP has it."""

    limit = 10**9

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[Asked] = []

    def reply(self, asked: Asked) -> Reply:
        """Refuse what is too large."""
        chosen = super().reply(asked)
        if chosen.status == 200 and len(asked.body) > self.limit:
            return Reply(413, b"", {})
        if chosen.status == 200 and chosen is not PAGE:
            self.accepted.append(asked)
        return chosen


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Limited]:
    """A server, to which the environment points."""
    running = Limited()
    running.always = Reply(200, b"", {})
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
    yield running
    running.close()


def _names(receiver: Receiver) -> list[str]:
    """The spans that were taken."""
    requests = [asked.body for asked in receiver.accepted if asked.path == "/v1/traces"]
    return [
        found.name
        for body in requests
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for found in scope.spans
    ]


def _waiting() -> str:
    text = ""
    for path in FOLDER.glob("undelivered-traces-*.jsonl"):
        # It may have been sent since it was listed.
        with suppress(FileNotFoundError):
            text += path.read_text()
    return text


def _refusal(does: str, reply: Reply, said: str, mend: str) -> Any:
    mark = pytest.mark.fault(
        "collector",
        theirs=f"The collector {does}",
        promise=f"Kept on disk and sent later; one line says “{said}” and how to mend it, one that it is over",
    )
    return pytest.param(reply, said, mend, marks=mark)


@pytest.mark.parametrize(
    ("reply", "said", "mend"),
    [
        *(
            _refusal(
                f"answers {code}",
                Reply(code, b"", {"Location": "https://new.example/v1/traces"}),
                "https://new.example/v1/traces",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
            )
            for code in (301, 302, 307, 308)
        ),
        _refusal("answers 200 with a page", PAGE, "it answers with a page", "OTLP/HTTP receiver"),
        _refusal("answers 401", Reply(401, b"", {}), "401", "OTEL_EXPORTER_OTLP_HEADERS"),
        _refusal("answers 404", Reply(404, b"", {}), "404", "Correct the path"),
        _refusal("answers 503", Reply(503, b"", {}), "503", "It runs, but takes nothing"),
        _refusal("answers 500", Reply(500, b"", {}), "500", "collector's log"),
        _refusal("closes the connection without an answer", Reply(None), "does not answer", "OTLP"),
    ],
)
def test_what_is_no_success_is_kept_and_sent_later(
    receiver: Limited, start: Start, lines: Lines, balance: Balance, reply: Reply, said: str, mend: str
) -> None:
    """One line says what the collector does and how to mend it, one that it is over; nothing is lost."""
    receiver.always = reply
    pipeline = start()
    span(pipeline, "one")
    pipeline.tracer_provider.force_flush()
    wait_for(lambda: pipeline.kept() == {("traces",): 1})
    assert '"one"' in _waiting()
    (line,) = lines()
    assert said in line
    assert mend in line
    assert str(FOLDER) in line
    receiver.always = Reply(200, b"", {})
    wait_for(lambda: len(lines()) == 2)
    assert _names(receiver) == ["one"]
    assert "1 records were kept, 1 of them sent, 0 records were lost" in lines()[1]
    assert list(FOLDER.glob("*.jsonl")) == []
    balance("spans", made=1, delivered=len(_names(receiver)), lost=pipeline.dropped())


def test_a_thread_that_could_not_start_is_started_with_the_next_batch(
    receiver: Limited, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system has no thread left while the collector goes away: nothing waits for the next process."""
    refused = []
    starts = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "ailoop-otel-spool" and not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        starts(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    receiver.always = Reply(503, b"", {})
    pipeline = start()
    for number, name in enumerate(("one", "two"), 1):
        span(pipeline, name)
        pipeline.tracer_provider.force_flush()
        wait_for(lambda number=number: pipeline.kept() == {("traces",): number})
    assert len(refused) == 1
    receiver.always = Reply(200, b"", {})
    wait_for(lambda: sorted(_names(receiver)) == ["one", "two"])


@pytest.mark.fault(
    "collector",
    theirs="Traces, metrics and logs were refused, and are sent later",
    promise="They arrive as they would have been sent at first, field by field",
)
def test_what_is_sent_later_is_what_would_have_been_sent(receiver: Limited, start: Start) -> None:
    """Field by field, all signals; metrics too."""
    receiver.always = Reply(503, b"", {})
    pipeline = start()
    record(pipeline)
    pipeline.flush()
    refused = {asked.path: asked.body for asked in receiver.asked}
    receiver.always = Reply(200, b"", {})
    wait_for(lambda: pipeline.sent().keys() == pipeline.kept().keys())
    sent = {asked.path: asked.body for asked in receiver.asked}
    assert ExportTraceServiceRequest.FromString(sent["/v1/traces"]) == ExportTraceServiceRequest.FromString(
        refused["/v1/traces"]
    )
    (resource,) = ExportMetricsServiceRequest.FromString(sent["/v1/metrics"]).resource_metrics
    assert any(metric.name == "messages" for scope in resource.scope_metrics for metric in scope.metrics)


@pytest.mark.fault(
    "collector",
    theirs="The collector takes a part of a request and rejects the rest",
    promise="What it rejected is lost, counted by signal, and said with its reason; the rest has arrived",
)
def test_partial_success_is_counted(receiver: Limited, start: Start, lines: Lines, balance: Balance) -> None:
    """By signal, and said with the collector's reason; the rest has arrived."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "too old"
    receiver.always = Reply(200, answer.SerializeToString(), {"Content-Type": "application/x-protobuf"})
    pipeline = start()
    for _ in range(3):
        span(pipeline)
    pipeline.tracer_provider.force_flush()
    assert pipeline.losses() == {("traces", "rejected"): 2}
    assert pipeline.dropped() == 2
    balance("spans", made=3, delivered=1, lost=pipeline.dropped())
    (line,) = lines()
    assert "2 spans are lost: the collector rejected them: too old" in line


@pytest.mark.parametrize("spool", [True, False])
@pytest.mark.fault(
    "collector",
    theirs="A request over HTTP is too large (413)",
    promise="Halved until it fits; one that does not fit alone is named, and kept or counted",
)
def test_what_is_too_large_is_halved(
    receiver: Limited, start: Start, lines: Lines, balance: Balance, spool: bool
) -> None:
    """Until it fits; what does not fit alone is named, and stays on disk or is counted; the mend is right."""
    receiver.limit = 2_000
    pipeline = start(Settings(spool=spool))
    for number in range(40):
        span(pipeline, f"span {number}")
    span(pipeline, "huge " + "x" * 3_000)
    pipeline.tracer_provider.force_flush()
    wait_for(lambda: len(_names(receiver)) == 40)
    wait_for(lambda: len(lines()) == 1)
    assert sorted(_names(receiver)) == sorted(f"span {number}" for number in range(40))
    (line,) = lines()
    assert "huge xxx" in line
    assert "Raise the collector's limit" in line
    assert pipeline.losses() == ({} if spool else {("traces", "too_large"): 1})
    balance(
        "spans",
        made=41,
        delivered=len(_names(receiver)),
        # The batch lies there as a whole, with a note of what of it was taken.
        kept=int("huge xxx" in _waiting()),
        lost=sum(pipeline.losses().values()),
    )


@pytest.mark.fault(
    "process",
    theirs="The process ends before the collector is back",
    promise="The next process sends what is on disk",
)
def test_a_next_process_sends_what_the_last_one_left(receiver: Limited, start: Start, balance: Balance) -> None:
    """Nothing needs to be recorded for it."""
    receiver.always = Reply(503, b"", {})
    first = start()
    span(first, "left")
    assert first.shutdown()
    receiver.always = Reply(200, b"", {})
    start()
    wait_for(lambda: _names(receiver) == ["left"])
    wait_for(lambda: not _waiting())
    balance("spans", made=1, delivered=len(_names(receiver)))


@pytest.mark.fault(
    "disk",
    ours="A recording lies where undelivered telemetry is kept",
    promise="It is neither sent nor deleted",
)
def test_recordings_that_were_made_on_purpose_stay(receiver: Limited, start: Start) -> None:
    """What the embedded default has written is not sent, nor deleted."""
    FOLDER.mkdir()
    recording = FOLDER / "traces-20251122T140000Z-7-1.jsonl"
    recording.write_text("{}\n")
    receiver.always = Reply(503, b"", {})
    pipeline = start()
    span(pipeline)
    pipeline.flush()
    receiver.always = Reply(200, b"", {})
    wait_for(lambda: not _waiting())
    assert recording.read_text() == "{}\n"


@pytest.mark.fault(
    "disk",
    theirs="The collector is away for longer than the disk's bounds allow",
    promise="What falls out is counted by signal and reason, and said",
)
def test_what_falls_out_of_the_bounds_is_counted(
    receiver: Limited, start: Start, lines: Lines, balance: Balance
) -> None:
    """By signal and reason; what waited in vain is no secret."""
    receiver.always = Reply(503, b"", {})
    FOLDER.mkdir()
    old = FOLDER / "undelivered-traces-20251122T140000Z-999999-1.jsonl"
    spans = [{"traceId": "1" * 32, "spanId": "2" * 16, "name": "old"}] * 7
    old.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}) + "\n")
    os.utime(old, (0, 0))
    pipeline = start()
    span(pipeline)
    pipeline.tracer_provider.force_flush()
    wait_for(lambda: pipeline.losses() == {("traces", "expired"): 7})
    assert not old.exists()
    balance("spans", made=8, kept=_waiting().count('"spanId"'), lost=pipeline.dropped())
    assert any("7 spans are lost" in line and "AILOOP_OTEL_DIRECTORY_MAX_SIZE" in line for line in lines())


@pytest.mark.fault(
    "disk",
    theirs="The collector refuses and the disk takes nothing",
    promise="Tried again as long as OTEL_EXPORTER_OTLP_TIMEOUT allows",
)
def test_where_the_disk_takes_nothing_it_is_tried_again(receiver: Limited, start: Start, balance: Balance) -> None:
    """As long as OTEL_EXPORTER_OTLP_TIMEOUT says, as without the spool."""
    Path("blocked").write_text("")
    receiver.replies = [Reply(503, b"", {})] * 3
    pipeline = start(Settings(directory="blocked"))
    span(pipeline, "one")
    pipeline.tracer_provider.force_flush()
    wait_for(lambda: _names(receiver) == ["one"])
    balance("spans", made=1, delivered=len(_names(receiver)), lost=pipeline.dropped())


@pytest.mark.fault(
    "process",
    theirs="A crash between sending a batch and noting that it is sent",
    promise="The batch is sent once more, and none is lost",
)
def test_a_crash_between_sending_and_noting_repeats_a_batch(receiver: Limited, start: Start, balance: Balance) -> None:
    """What is not noted is sent again: here the notes are gone, and the file is still there."""
    receiver.always = Reply(503, b"", {})
    pipeline = start()
    span(pipeline, "one")
    pipeline.flush()
    kept = {path: path.read_bytes() for path in FOLDER.glob("undelivered-traces-*")}
    receiver.always = Reply(200, b"", {})
    wait_for(lambda: not _waiting())
    pipeline.shutdown()
    (FOLDER / NAME).unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    again: Pipeline = start()
    wait_for(lambda: not _waiting())
    assert _names(receiver) == ["one", "one"]
    balance("spans", made=1, delivered=len(set(_names(receiver))), lost=again.dropped())


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.fault(
    "threads",
    theirs="A process forks while the collector hangs",
    promise="Parent and child keep and send their own, and nothing is lost",
)
def test_a_forked_child_keeps_and_sends_its_own(receiver: Limited, start: Start, balance: Balance) -> None:
    """What the parent has on its way is the parent's, and what the child cannot deliver is in a file of its own."""
    receiver.holds_from = 1
    pipeline = start()
    span(pipeline, "parent")
    pipeline.tracer_provider.force_flush()

    def work() -> bool:
        span(pipeline, "child")
        return pipeline.flush(1.0) and pipeline.kept()["traces",] == 1 and pipeline.dropped() == 0

    assert in_child(work) == 0
    assert '"child"' in _waiting()
    receiver.release()
    wait_for(lambda: "parent" in _names(receiver))
    assert pipeline.kept() == {}
    assert pipeline.shutdown()
    start()
    wait_for(lambda: "child" in _names(receiver))
    wait_for(lambda: not _waiting())
    # What was on its way when the time was up may have arrived as well.
    balance("spans", made=2, delivered=len(set(_names(receiver))))
