"""The three exporters that write OTLP JSON Lines."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ailoop_otel.export.choice import SIGNALS
from ailoop_otel.export.files import RotatingLogExporter, RotatingMetricExporter, RotatingSpanExporter
from ailoop_otel.guard import Guard
from ailoop_otel.recording.fast import json_lines
from tests.export.child import in_child

Lines = Callable[[], list[str]]


def _read(directory: Path, signal: str) -> list[dict[str, Any]]:
    """Every line of a signal's files."""
    return [
        json.loads(line)
        for path in sorted(directory.glob(f"{signal}-*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def _spans(directory: Path) -> list[str]:
    return [
        span["name"]
        for line in _read(directory, "traces")
        for resource in line["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def _finished(*names: str) -> tuple[ReadableSpan, ...]:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    for name in names:
        provider.get_tracer("test").start_span(name).end()
    return memory.get_finished_spans()


def test_spans_are_otlp_json_one_line_a_batch(tmp_path: Path) -> None:
    """Two batches are two lines, in a file that is complete after each export."""
    exporter = RotatingSpanExporter(str(tmp_path))
    assert exporter.export(_finished("one", "zwei\nü")) is SpanExportResult.SUCCESS
    assert exporter.export(_finished("three")) is SpanExportResult.SUCCESS
    assert len(_read(tmp_path, "traces")) == 2
    assert _spans(tmp_path) == ["one", "zwei\nü", "three"]
    assert exporter.force_flush()
    exporter.shutdown()


def _official(batch: Sequence[ReadableSpan]) -> object:
    stream = io.StringIO()
    FileSpanExporter(stream=stream).export(batch)
    return json.loads(stream.getvalue())


def test_our_encoder_writes_what_the_official_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the official one is not asked."""
    batch = _finished("one", "two")
    official = _official(batch)
    exporter = RotatingSpanExporter(str(tmp_path))
    monkeypatch.setattr("opentelemetry.exporter.otlp.json.common.trace_encoder.encode_spans", None)
    assert exporter.export(batch) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert _read(tmp_path, "traces") == [official]


@pytest.mark.fault(
    "foreign",
    ours="Our encoder has a fault",
    promise="The official one writes the batch, once; the fault is counted and said",
)
def test_a_fault_of_our_encoder_is_counted_and_the_official_one_encodes(
    tmp_path: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is written all the same, once, and one line reports the fault."""
    guard = Guard()
    monkeypatch.setattr(json_lines, "encoded", lambda spans: 1 // 0)
    exporter = RotatingSpanExporter(str(tmp_path), guard=guard)
    batches = [_finished("one"), _finished("two")]
    assert [exporter.export(batch) for batch in batches] == [SpanExportResult.SUCCESS] * 2
    exporter.shutdown()
    assert _read(tmp_path, "traces") == [_official(batch) for batch in batches]
    assert guard.errors == 2
    assert len(lines()) == 1
    assert "ZeroDivisionError" in lines()[0]


def test_the_official_encoder_where_a_release_lacks_what_ours_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans are written as before."""
    monkeypatch.setitem(sys.modules, "ailoop_otel.recording.fast.json_lines", None)
    exporter = RotatingSpanExporter(str(tmp_path))
    assert exporter.export(_finished("one")) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert _spans(tmp_path) == ["one"]


def test_no_spans_are_no_line(tmp_path: Path) -> None:
    """Not even a file."""
    exporter = RotatingSpanExporter(str(tmp_path / "telemetry"))
    assert exporter.export(()) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert not (tmp_path / "telemetry").exists()


def test_spans_that_cannot_be_encoded_are_a_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither encoder can, and the next batch is written."""
    exporter = RotatingSpanExporter(str(tmp_path))
    broken = ReadableSpan("span", None, attributes={"many": 1, b"bytes": 1})  # type: ignore[dict-item]
    assert exporter.export([broken]) is SpanExportResult.FAILURE
    assert "traces cannot be encoded" in caplog.text
    assert exporter.export(_finished("next")) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert _spans(tmp_path) == ["next"]


def test_metrics_are_otlp_json(tmp_path: Path) -> None:
    """A collection is a line with the metric's name, unit and value."""
    reader = PeriodicExportingMetricReader(RotatingMetricExporter(str(tmp_path)), float("inf"))
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("test").create_counter("messages", "{message}").add(3)
    provider.force_flush()
    provider.shutdown()
    (metric,) = _read(tmp_path, "metrics")[0]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    assert (metric["name"], metric["unit"]) == ("messages", "{message}")
    assert metric["sum"]["dataPoints"][0]["asInt"] == "3"


def test_logs_are_otlp_json(tmp_path: Path) -> None:
    """An event is a line with its name and attributes."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(RotatingLogExporter(str(tmp_path))))
    record = LogRecord(severity_number=SeverityNumber.INFO, event_name="session.start", attributes={"session.id": "s"})
    provider.get_logger("test").emit(record)
    provider.shutdown()  # type: ignore[no-untyped-call]
    (event,) = _read(tmp_path, "logs")[0]["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert event["eventName"] == "session.start"
    assert event["attributes"] == [{"key": "session.id", "value": {"stringValue": "s"}}]


def test_histograms_are_exponential_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that OTLP exporters honour is honoured by the files as well."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram")
    reader = PeriodicExportingMetricReader(RotatingMetricExporter(str(tmp_path)), float("inf"))
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("test").create_histogram("time", "s", explicit_bucket_boundaries_advisory=[1, 2]).record(1.5)
    provider.force_flush()
    provider.shutdown()
    (metric,) = _read(tmp_path, "metrics")[0]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    assert metric["exponentialHistogram"]["dataPoints"][0]["sum"] == 1.5


def test_without_arguments_the_settings_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK makes entry points without arguments; size and place come from the environment."""
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", str(tmp_path / "there"))
    monkeypatch.setenv("AILOOP_OTEL_FILE_MAX_SIZE", "0.01")
    for signal in SIGNALS:
        (point,) = entry_points(group=signal.group, name="ailoop_json_files")
        point.load()().shutdown()
    exporter = RotatingSpanExporter()
    for _ in range(30):
        exporter.export(_finished("span"))
    exporter.shutdown()
    sizes = [path.stat().st_size for path in (tmp_path / "there").iterdir()]
    assert len(sizes) > 1
    assert max(sizes) <= 10_000


def test_a_fault_is_a_failure_and_one_line(tmp_path: Path, lines: Lines) -> None:
    """All three signals fail, nobody raises, no traceback is logged, and all goes on once it is mended."""
    blocked = tmp_path / "telemetry"
    blocked.write_text("")
    spans, logs = RotatingSpanExporter(str(blocked)), RotatingLogExporter(str(blocked))
    metrics = RotatingMetricExporter(str(blocked))
    reader = PeriodicExportingMetricReader(metrics, float("inf"))
    provider = MeterProvider([reader], shutdown_on_exit=False)
    results: list[MetricExportResult] = []
    export = metrics.export
    metrics.export = lambda *a, **k: results.append(export(*a, **k)) or results[-1]  # type: ignore[method-assign,func-returns-value]
    provider.get_meter("test").create_counter("messages").add(1)
    assert spans.export(_finished("lost")) is SpanExportResult.FAILURE
    assert logs.export([]) is LogRecordExportResult.SUCCESS
    provider.force_flush()
    assert results == [MetricExportResult.FAILURE]
    assert len(lines()) == 1
    blocked.unlink()
    assert spans.export(_finished("kept")) is SpanExportResult.SUCCESS
    provider.force_flush()
    assert results[-1] is MetricExportResult.SUCCESS
    assert _spans(blocked) == ["kept"]
    assert len(lines()) == 1
    spans.shutdown()
    logs.shutdown()
    provider.shutdown()


def test_after_shutdown_nothing_is_written(tmp_path: Path) -> None:
    """A late batch is refused and opens no file."""
    exporter = RotatingSpanExporter(str(tmp_path / "telemetry"))
    exporter.shutdown()
    assert exporter.export(_finished("late")) is SpanExportResult.FAILURE
    assert not (tmp_path / "telemetry").exists()


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    """A processor that exports from every thread at once loses nothing and mixes nothing."""
    exporter = RotatingSpanExporter(str(tmp_path), max_file=0.005)
    batches = [_finished(f"{number}") for number in range(20)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=lambda: [exporter.export(batch) for batch in batches]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    exporter.shutdown()
    assert sorted(_spans(tmp_path), key=int) == sorted([str(n) for n in range(20)] * 8, key=int)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.fault(
    "threads",
    theirs="A fork while another thread writes",
    promise="The child is not blocked, and writes a file of its own",
)
def test_a_child_forked_in_the_middle_of_an_export_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock that another thread held at the fork does not block the child, which writes a file of its own."""
    exporter = RotatingSpanExporter(str(tmp_path))
    spans = _finished("span")
    inside, leave = threading.Event(), threading.Event()
    write, pid = os.write, os.getpid()

    def slow(descriptor: int, data: bytes) -> int:
        if os.getpid() == pid:
            inside.set()
            leave.wait(60)
        return write(descriptor, data)

    monkeypatch.setattr("ailoop_otel.export.rotation.os.write", slow)
    thread = threading.Thread(target=exporter.export, args=(spans,))
    thread.start()
    inside.wait(60)
    assert in_child(lambda: exporter.export(spans) is SpanExportResult.SUCCESS) == 0
    leave.set()
    thread.join()
    exporter.shutdown()
    assert _spans(tmp_path) == ["span", "span"]
    assert len(list(tmp_path.iterdir())) == 2
