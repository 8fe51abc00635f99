"""`OTEL_CONFIG_FILE`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.export.conftest import Start
from tests.export.recording import record, span, written

Lines = Callable[[], list[str]]


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
    record(pipeline)
    assert [span.name for span in memory.get_finished_spans()] == ["span"]
    assert list(tmp_path.iterdir()) == []
    assert pipeline.description == "traces → where otel.yaml says; metrics, logs → nowhere, as otel.yaml says"
    assert pipeline.shutdown()
    span(pipeline, "late")
    assert len(memory.get_finished_spans()) == 1


@pytest.mark.fault(
    "settings",
    theirs="OTEL_CONFIG_FILE cannot be used",
    promise="One line; the rules go on as if it were not set",
)
def test_a_declarative_configuration_that_is_wrong(
    start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines, tmp_path: Path
) -> None:
    """One line says so, and the rules go on as if it were not set."""

    def configure(_path: object) -> None:
        raise sys.modules["opentelemetry.configuration"].ConfigurationError("no\nsuch exporter")

    _declare(monkeypatch, configure)
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    pipeline = start()
    record(pipeline)
    assert pipeline.flush()
    (line,) = lines()
    assert "no such exporter" in line
    assert "OTEL_CONFIG_FILE" in line
    assert set(written(tmp_path / "ailoop-telemetry")) == {"traces", "metrics", "logs"}


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
