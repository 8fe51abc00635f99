"""The way out for telemetry, set up by the environment."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

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

Lines = Callable[[], list[str]]


def _span(pipeline: Pipeline, name: str = "span") -> None:
    pipeline.tracer_provider.get_tracer("test").start_span(name).end()


def _abort(pipeline: Pipeline) -> None:
    """Have exporters give up that would go on trying, so that they do not speak in another test."""
    tracing, metering = pipeline.tracer_provider, pipeline.meter_provider
    for processor in tracing._active_span_processor._span_processors:
        processor._processor.span_exporter.shutdown()
    for reader in metering._metric_readers:
        reader._exporter.shutdown()
    for _, errand in pipeline._errands:
        assert errand.wait(15)


def _record(pipeline: Pipeline) -> None:
    """One of each signal."""
    _span(pipeline)
    pipeline.meter_provider.get_meter("test").create_counter("messages").add(1)
    pipeline.logger_provider.get_logger("test").emit(_logs.LogRecord(event_name="event"))


def _written(directory: Path) -> dict[str, str]:
    """The text of each signal's files."""
    return {path.name.split("-")[0]: path.read_text() for path in sorted(directory.iterdir())}


def test_without_any_setting_all_signals_go_into_files(start: Start, tmp_path: Path) -> None:
    """Three signals, three files, complete after a flush; the providers are the global ones."""
    pipeline = start()
    _record(pipeline)
    assert pipeline.flush()
    assert set(_written(tmp_path / "ailoop-telemetry")) == {"traces", "metrics", "logs"}
    assert trace.get_tracer_provider() is pipeline.tracer_provider
    assert metrics.get_meter_provider() is pipeline.meter_provider
    assert _logs.get_logger_provider() is pipeline.logger_provider
    assert pipeline.description == f"traces, metrics, logs → OTLP JSON files in {tmp_path / 'ailoop-telemetry'}"


def test_spans_are_in_the_files_within_a_second_or_so(start: Start, tmp_path: Path) -> None:
    """The embedded default is read while the server runs, so nothing waits for five seconds."""
    pipeline = start()
    _span(pipeline, "soon")
    deadline = time.monotonic() + 2.0
    while not (files := list(tmp_path.glob("ailoop-telemetry/traces-*"))) or "soon" not in files[0].read_text():
        assert time.monotonic() < deadline


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
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, 5_000, 1_000, 60_000),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "soon"}, 1_000, 1_000, 10_000),
    ],
)
def test_how_often_is_exported(
    start: Start, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], spans: int, logs: int, interval: int
) -> None:
    """Short waits are for the embedded default only, and what the environment says holds (milliseconds)."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    pipeline = start()
    (tallied,) = pipeline.tracer_provider._active_span_processor._span_processors
    (batch,) = pipeline.logger_provider._multi_log_record_processor._log_record_processors
    (reader,) = pipeline.meter_provider._metric_readers
    assert tallied._processor._batch_processor._schedule_delay_millis == spans
    assert batch._batch_processor._schedule_delay_millis == logs
    assert reader._export_interval_millis == interval


def test_an_endpoint_takes_all_signals(collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing but an endpoint all three go there over HTTP, and no file is written."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    pipeline = start()
    _record(pipeline)
    assert pipeline.flush()
    assert sorted(collector.paths) == ["/v1/logs", "/v1/metrics", "/v1/traces"]
    assert collector.spans == ["span"]
    assert not os.path.exists("ailoop-telemetry")
    assert collector.url in pipeline.description


def test_several_exporters_of_one_signal(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files and collector at once, and one that does not exist does not spoil the others."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp,nothing,ailoop_json_files")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    pipeline = start()
    _record(pipeline)
    assert pipeline.flush()
    assert collector.spans == ["span"]
    assert set(_written(tmp_path / "ailoop-telemetry")) == {"traces"}
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
    _span(pipeline, "afterwards")
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
    _record(pipeline)
    assert pipeline.flush()
    assert set(_written(tmp_path / "ailoop-telemetry")) == {"metrics", "logs"}
    assert trace.get_tracer_provider() is theirs
    assert metrics.get_meter_provider() is pipeline.meter_provider


def test_disabled_is_nothing_at_all(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`OTEL_SDK_DISABLED` leaves no thread, no file and no global provider."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "True")
    before = threading.active_count()
    pipeline = start()
    _record(pipeline)
    assert pipeline.flush()
    assert pipeline.shutdown()
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert pipeline.dropped() == 0


def test_a_second_life_after_shutdown(start: Start, tmp_path: Path) -> None:
    """Our own global provider, once shut down, is not taken for the user's: a new start records again."""
    first = start()
    assert first.shutdown()
    second = start()
    _record(second)
    assert second.flush()
    assert set(_written(tmp_path / "ailoop-telemetry")) == {"traces", "metrics", "logs"}
    assert second.dropped() == 0


def test_shutdown_flushes_and_counts_what_comes_later(start: Start, tmp_path: Path) -> None:
    """What waited is in the files, what comes afterwards is dropped, and a second shutdown is harmless."""
    pipeline = start()
    _record(pipeline)
    assert pipeline.shutdown()
    assert set(_written(tmp_path / "ailoop-telemetry")) == {"traces", "metrics", "logs"}
    _span(pipeline, "late")
    assert pipeline.dropped() == 1
    assert pipeline.shutdown()


def test_no_thread_is_left_after_shutdown(start: Start) -> None:
    """All of ours and all of the SDK's end."""
    before = set(threading.enumerate())
    pipeline = start()
    _record(pipeline)
    assert len(set(threading.enumerate()) - before) == 6
    assert pipeline.shutdown()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def test_a_small_queue_and_a_blocked_directory(start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    """What the files refuse is counted as dropped, to the span; the line about it names the mend."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    Path("blocked").write_text("")
    pipeline = start(Settings(directory="blocked"))
    for _ in range(50):
        _span(pipeline)
    assert pipeline.flush()
    assert pipeline.dropped() == 50
    assert len(lines()) == 1
    assert "AILOOP_OTEL_DIRECTORY" in lines()[0]
    Path("blocked").unlink()
    _span(pipeline)
    assert pipeline.flush()
    assert pipeline.dropped() == 50
    assert set(_written(Path("blocked"))) >= {"traces"}


@pytest.mark.parametrize("mode", ["refuse", "hang", "503"])
def test_a_dead_collector_takes_three_seconds_at_most(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines, mode: str
) -> None:
    """Flush and shutdown together; one line at most, every span counted, and other signals' files complete."""
    collector.mode = mode
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "ailoop_json_files")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1" if mode == "refuse" else collector.url)
    pipeline = start()
    for _ in range(10):
        _record(pipeline)
    begun = time.monotonic()
    assert not pipeline.flush(3.0)
    assert time.monotonic() - begun == pytest.approx(3.0, abs=0.2)
    assert not pipeline.shutdown(3.0)
    assert time.monotonic() - begun < 3.2
    assert pipeline.dropped() == 10
    assert len(lines()) == (0 if mode == "hang" else 1)
    assert _written(Path("ailoop-telemetry"))["logs"].count("eventName") == 10
    collector.release()
    _abort(pipeline)


def test_a_collector_that_comes_back_gets_the_rest(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """A short failure is retried by the SDK: nothing is dropped, and one line told of it."""
    collector.mode = "503"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    pipeline = start()
    _span(pipeline)
    assert not pipeline.flush(0.3)
    collector.mode = "ok"
    assert pipeline.flush(3.0)
    assert collector.spans == ["span"]
    assert pipeline.dropped() == 0
    assert len(lines()) == 1
    assert "Service Unavailable" in lines()[0]


def test_flushing_a_dead_collector_again_costs_nothing_more(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flushes do not pile up behind one that hangs."""
    collector.mode = "hang"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    pipeline = start()
    _span(pipeline)
    for _ in range(5):
        assert not pipeline.flush(0.05)
    assert all(errand._queue.qsize() == 0 for _, errand in pipeline._errands)
    collector.mode = "ok"
    collector.release()
    assert pipeline.flush(3.0)


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
def test_a_bad_value_never_keeps_the_server_from_starting(
    start: Start, monkeypatch: pytest.MonkeyPatch, name: str, value: str, signal: str, lines: Lines
) -> None:
    """Where the SDK would raise there is a line, and everything that can work does."""
    monkeypatch.setenv(name, value)
    pipeline = start()
    _record(pipeline)
    assert pipeline.flush()
    assert signal == "OTLP" or any(signal in line for line in lines())


def test_a_provider_that_cannot_be_loaded(start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    """A variable naming no provider costs its signal only, and is named."""
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "nothing")
    pipeline = start()
    _record(pipeline)
    assert pipeline.flush()
    assert any("OTEL_PYTHON_TRACER_PROVIDER cannot be used" in line for line in lines())
    assert pipeline.description.startswith("traces → nowhere, as OTEL_PYTHON_TRACER_PROVIDER")
    assert set(_written(Path("ailoop-telemetry"))) == {"metrics", "logs"}


def _declare(monkeypatch: pytest.MonkeyPatch, configure: Callable[[object], None]) -> None:
    class ConfigurationError(Exception):
        pass

    module = SimpleNamespace(
        configure_sdk=configure, load_config_file=lambda path: path, ConfigurationError=ConfigurationError
    )
    monkeypatch.setitem(sys.modules, "opentelemetry.configuration", module)  # type: ignore[arg-type]


def test_a_declarative_configuration_is_left_to_the_sdk(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The providers it sets are ours to flush and end; a signal it leaves out is recorded nowhere."""
    memory = InMemorySpanExporter()

    def configure(path: object) -> None:
        assert path == "otel.yaml"
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(memory))
        trace.set_tracer_provider(provider)

    _declare(monkeypatch, configure)
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    pipeline = start()
    _record(pipeline)
    assert [span.name for span in memory.get_finished_spans()] == ["span"]
    assert list(tmp_path.iterdir()) == []
    assert pipeline.description == "traces → where otel.yaml says; metrics, logs → nowhere, as otel.yaml says"
    assert pipeline.shutdown()
    _span(pipeline, "late")
    assert len(memory.get_finished_spans()) == 1


def test_a_declarative_configuration_that_is_wrong(
    start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines, tmp_path: Path
) -> None:
    """One line says so, and the rules go on as if it were not set."""

    def configure(_path: object) -> None:
        raise sys.modules["opentelemetry.configuration"].ConfigurationError("no\nsuch exporter")

    _declare(monkeypatch, configure)
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    pipeline = start()
    _record(pipeline)
    assert pipeline.flush()
    (line,) = lines()
    assert "no such exporter" in line
    assert "OTEL_CONFIG_FILE" in line
    assert set(_written(tmp_path / "ailoop-telemetry")) == {"traces", "metrics", "logs"}


def test_a_declarative_configuration_without_its_package(
    start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """One line names the package to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry.configuration", None)
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    pipeline = start()
    assert "OTLP JSON files" in pipeline.description
    (line,) = lines()
    assert "pip install opentelemetry-configuration" in line


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_worker_has_files_and_an_identity_of_its_own(start: Start, tmp_path: Path) -> None:
    """What the child records is in the child's files, under another instance id, and none of it is lost."""
    pipeline = start()
    _span(pipeline, "parent")
    child = os.fork()
    if not child:
        status = 1
        try:
            _span(pipeline, "child")
            status = 0 if pipeline.flush() and pipeline.shutdown() else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pipeline.flush()
    seen = {}
    for path in (tmp_path / "ailoop-telemetry").glob("traces-*"):
        (line,) = (json.loads(line) for line in path.read_text().splitlines())
        (resource,) = line["resourceSpans"]
        attributes = {item["key"]: item["value"]["stringValue"] for item in resource["resource"]["attributes"]}
        (span,) = resource["scopeSpans"][0]["spans"]
        seen[span["name"]] = (path.name.split("-")[2], attributes["service.instance.id"])
    assert seen["parent"][0] == str(os.getpid())
    assert seen["child"][0] == str(child)
    assert seen["parent"][1] != seen["child"][1]


def test_a_start_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even with a barrier that is not under test everything above holds."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "nothing")
    guard = Guard()
    pipeline = Pipeline.start(Settings(), guard)
    _record(pipeline)
    assert pipeline.shutdown()
    assert guard.errors == 0
