"""The way out for telemetry, set up by the environment."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ailoop_otel.export.pipeline import Pipeline
from ailoop_otel.guard import Guard
from ailoop_otel.settings import Settings
from ailoop_otel.version import __version__
from tests.export.collector import Collector
from tests.export.conftest import Start
from tests.export.recording import record, span, written

Lines = Callable[[], list[str]]


def test_without_any_setting_all_signals_go_into_files(start: Start, tmp_path: Path) -> None:
    """Three signals, three files, complete after a flush; the providers are the global ones."""
    pipeline = start()
    record(pipeline)
    assert pipeline.flush()
    assert set(written(tmp_path / "ailoop-telemetry")) == {"traces", "metrics", "logs"}
    assert trace.get_tracer_provider() is pipeline.tracer_provider
    assert metrics.get_meter_provider() is pipeline.meter_provider
    assert _logs.get_logger_provider() is pipeline.logger_provider
    assert pipeline.description == f"traces, metrics, logs → OTLP JSON files in {tmp_path / 'ailoop-telemetry'}"


def test_spans_are_in_the_files_within_a_second_or_so(start: Start, tmp_path: Path) -> None:
    """The embedded default is read while the server runs, so nothing waits for five seconds."""
    pipeline = start()
    span(pipeline, "soon")
    deadline = time.monotonic() + 2.0
    while not (files := list(tmp_path.glob("ailoop-telemetry/traces-*"))) or "soon" not in files[0].read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("variables", "spans", "logs", "interval"),
    [
        ({}, 1_000, 1_000, 10_000),
        (
            {
                "OTEL_BSP_SCHEDULE_DELAY": "200",
                "OTEL_BLRP_SCHEDULE_DELAY": "300",
                "OTEL_METRIC_EXPORT_INTERVAL": "400",
            },
            200,
            300,
            400,
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, 5_000, 1_000, 10_000),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "soon"}, 1_000, 1_000, 10_000),
    ],
)
def test_how_often_is_exported(
    start: Start, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], spans: int, logs: int, interval: int
) -> None:
    """Spans wait shortly for the embedded default only; metrics suit a dashboard anywhere; what is set holds (ms)."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    pipeline = start()
    (counting,) = pipeline.tracer_provider._active_span_processor._span_processors
    (batch,) = pipeline.logger_provider._multi_log_record_processor._log_record_processors
    (reader,) = pipeline.meter_provider._metric_readers
    assert counting._processor._batch_processor._schedule_delay_millis == spans
    assert batch._processor._batch_processor._schedule_delay_millis == logs
    assert reader._export_interval_millis == interval


def test_an_endpoint_takes_all_signals(collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing but an endpoint all three go there over HTTP, and no file is written."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    pipeline = start()
    record(pipeline)
    assert pipeline.flush()
    assert sorted(collector.paths) == ["/v1/logs", "/v1/metrics", "/v1/traces"]
    assert collector.spans == ["span"]
    assert not os.path.exists("ailoop-telemetry")
    assert collector.url in pipeline.description


@pytest.mark.fault(
    "settings",
    theirs="One of several exporters does not exist",
    promise="The others get everything",
)
def test_several_exporters_of_one_signal(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files and collector at once, and one that does not exist does not spoil the others."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp,nothing,ailoop_json_files")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    pipeline = start()
    record(pipeline)
    assert pipeline.flush()
    assert collector.spans == ["span"]
    assert set(written(tmp_path / "ailoop-telemetry")) == {"traces"}
    assert "metrics, logs → nowhere" in pipeline.description


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"service.name": "ailoop"}),
        ({"OTEL_SERVICE_NAME": "mine"}, {"service.name": "mine"}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine,team=x"}, {"service.name": "mine", "team": "x"}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "team=x"}, {"service.name": "ailoop", "team": "x"}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=i"}, {"service.instance.id": "i"}),
    ],
)
def test_who_it_is(
    start: Start, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: dict[str, str]
) -> None:
    """`ailoop`, unless the environment says otherwise, and one instance id for the process's three signals."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    pipeline = start()
    attributes = pipeline.tracer_provider.resource.attributes
    assert expected.items() <= dict(attributes).items()
    assert attributes["telemetry.distro.name"] == "ailoop-otel"
    assert attributes["telemetry.distro.version"] == __version__
    assert attributes["service.instance.id"]
    assert pipeline.logger_provider.resource.attributes == attributes
    assert pipeline.meter_provider._sdk_config.resource.attributes == attributes


def test_providers_that_are_there_are_used_and_not_ended(start: Start, tmp_path: Path) -> None:
    """The user's SDK is flushed by us and shut down by nobody but the user."""
    memory = InMemorySpanExporter()
    theirs = TracerProvider(shutdown_on_exit=False)
    theirs.add_span_processor(SimpleSpanProcessor(memory))
    meters, loggers = MeterProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(theirs)
    metrics.set_meter_provider(meters)
    _logs.set_logger_provider(loggers)
    pipeline = start()
    assert (pipeline.tracer_provider, pipeline.meter_provider, pipeline.logger_provider) == (theirs, meters, loggers)
    assert pipeline.flush()
    assert pipeline.shutdown()
    span(pipeline, "afterwards")
    assert [span.name for span in memory.get_finished_spans()] == ["afterwards"]
    assert pipeline.description == "traces, metrics, logs → the provider that was there already"
    assert list(tmp_path.iterdir()) == []
    meters.shutdown()


def test_each_signal_is_decided_by_itself(start: Start, tmp_path: Path) -> None:
    """A tracer provider of the user's does not keep metrics and logs from their files."""
    theirs = TracerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(theirs)
    pipeline = start()
    assert pipeline.tracer_provider is theirs
    record(pipeline)
    assert pipeline.flush()
    assert set(written(tmp_path / "ailoop-telemetry")) == {"metrics", "logs"}
    assert trace.get_tracer_provider() is theirs
    assert metrics.get_meter_provider() is pipeline.meter_provider


def test_disabled_is_nothing_at_all(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`OTEL_SDK_DISABLED` leaves no thread, no file and no global provider."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "True")
    before = threading.active_count()
    pipeline = start()
    record(pipeline)
    assert pipeline.flush()
    assert pipeline.shutdown()
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert pipeline.dropped() == 0


@pytest.mark.parametrize(
    ("name", "value", "signal"),
    [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many", "traces"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "odd", "metrics"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-3", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "long", "OTLP"),
        ("OTEL_TRACES_EXPORTER", "jaeger", "traces"),
    ],
)
@pytest.mark.fault(
    "settings",
    theirs="A value for which the SDK raises at its set-up",
    promise="A line, and everything that can work does",
)
def test_a_bad_value_never_keeps_the_server_from_starting(
    start: Start, monkeypatch: pytest.MonkeyPatch, name: str, value: str, signal: str, lines: Lines
) -> None:
    """Where the SDK would raise there is a line, and everything that can work does."""
    monkeypatch.setenv(name, value)
    pipeline = start()
    record(pipeline)
    assert pipeline.flush()
    assert signal == "OTLP" or any(signal in line for line in lines())


def test_a_provider_that_cannot_be_loaded(start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    """A variable naming no provider costs its signal only, and is named."""
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "nothing")
    pipeline = start()
    record(pipeline)
    assert pipeline.flush()
    assert any("OTEL_PYTHON_TRACER_PROVIDER cannot be used" in line for line in lines())
    assert pipeline.description.startswith("traces → nowhere, as OTEL_PYTHON_TRACER_PROVIDER")
    assert set(written(Path("ailoop-telemetry"))) == {"metrics", "logs"}


def test_a_start_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even with a barrier that is not under test everything above holds."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "nothing")
    guard = Guard()
    pipeline = Pipeline.start(Settings(), guard)
    record(pipeline)
    assert pipeline.shutdown()
    assert guard.errors == 0
