"""Whose provider it is: the one that somebody has set, or, where nobody has, one of ours."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace

from ailoop_otel.export import providers
from ailoop_otel.export.choice import SIGNALS
from ailoop_otel.guard import Guard
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES, Signal
from ailoop_otel.settings import Settings
from tests.export.conftest import Start
from tests.export.recording import record, written

Lines = Callable[[], list[str]]
SET: dict[Signal, Callable[[Any], None]] = {
    TRACES: trace.set_tracer_provider,
    METRICS: metrics.set_meter_provider,
    LOGS: _logs.set_logger_provider,
}


class ProxyTracerProvider(trace.NoOpTracerProvider):
    """Of somebody else, called as the API calls its own and without a hash, as Logfire's are."""

    __hash__ = None  # type: ignore[assignment]


class ProxyMeterProvider(metrics.MeterProvider):
    """The same for metrics."""

    __hash__ = None  # type: ignore[assignment]

    def get_meter(self, *arguments: Any, **keywords: Any) -> metrics.Meter:
        """One that does nothing."""
        return metrics.NoOpMeter("theirs")


class ProxyLoggerProvider(_logs.LoggerProvider):
    """The same for logs."""

    __hash__ = None  # type: ignore[assignment]

    def get_logger(self, *arguments: Any, **keywords: Any) -> _logs.Logger:
        """One that does nothing."""
        return _logs.NoOpLogger("theirs")


THEIRS = {TRACES: ProxyTracerProvider, METRICS: ProxyMeterProvider, LOGS: ProxyLoggerProvider}
NO_OP = {TRACES: trace.NoOpTracerProvider, METRICS: metrics.NoOpMeterProvider, LOGS: _logs.NoOpLoggerProvider}


@pytest.mark.parametrize("signal", SIGNALS)
def test_nobody_has_set_one(signal: Signal) -> None:
    """What the API hands out then is nobody's."""
    assert providers.existing(signal) is None


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("kinds", [THEIRS, NO_OP], ids=["called as the API's own", "does nothing"])
@pytest.mark.fault(
    "foreign",
    theirs="The host's providers are called as the API's own, have no hash or do nothing (Logfire)",
    promise="They are used as any others are",
)
def test_what_somebody_has_set_is_used(signal: Signal, kinds: dict[Signal, Any]) -> None:
    """Whatever its class is called, and also if it does nothing."""
    theirs = kinds[signal]()
    SET[signal](theirs)
    assert providers.existing(signal) is theirs


def _moved(monkeypatch: pytest.MonkeyPatch, module: str, **members: Any) -> None:
    """As if the API's object for no provider were defined elsewhere."""
    made = type("Unset", (), {"__module__": module, "get_tracer": lambda *_, **__: trace.NoOpTracer(), **members})()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: made)


def test_an_object_for_no_provider_that_is_defined_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """In OpenTelemetry, but what can be flushed is a real one."""
    _moved(monkeypatch, "opentelemetry.unset")
    assert providers.existing(TRACES) is None
    _moved(monkeypatch, "opentelemetry.sdk.trace", force_flush=None)
    assert providers.existing(TRACES) is not None


def test_a_provider_that_is_mistaken_for_none_is_left_in_place(
    start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines, tmp_path: Path
) -> None:
    """The telemetry of this package is exported all the same, and one line says what is not."""
    theirs = type("Odd", (trace.TracerProvider,), {"__module__": "opentelemetry.trace.odd", "get_tracer": None})()
    trace.set_tracer_provider(theirs)
    pipeline = start()
    record(pipeline)
    assert pipeline.flush()
    assert trace.get_tracer_provider() is theirs
    assert set(written(tmp_path / "ailoop-telemetry")) == {"traces", "metrics", "logs"}
    assert sum("traces of this package are exported" in line and "Odd" in line for line in lines()) == 1


@pytest.mark.parametrize("missing", ["encode_logs", "sdk_logs"])
def test_without_logs_the_other_signals_are_written(
    start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines, tmp_path: Path, missing: str
) -> None:
    """One line says that there are none."""

    def raise_(*_: object) -> None:
        raise ImportError("no such thing")

    from ailoop_otel.export import encoders

    monkeypatch.setattr(encoders if missing == "encode_logs" else providers, missing, raise_)
    pipeline = start()
    record(pipeline)
    assert pipeline.flush()
    assert set(written(tmp_path / "ailoop-telemetry")) == {"traces", "metrics"}
    (line,) = lines()
    assert line.startswith("ailoop-otel: logs are not ")
    assert "no such thing" in line


def test_without_the_api_of_logs_events_are_left_out(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process is set up and records all else."""
    from ailoop_otel.recording import telemetry
    from ailoop_otel.recording.spans import EMPTY

    monkeypatch.setitem(providers._API, LOGS, None)
    monkeypatch.setattr(telemetry, "LOGS", None)
    assert providers.existing(LOGS) is None
    assert providers.no_op(LOGS) is None
    pipeline = start()
    recorder = telemetry.Telemetry(pipeline.tracer_provider, pipeline.meter_provider, None, Settings(), Guard())
    recorder.event("event", 1, {}, EMPTY)
    recorder.end_span(recorder.start_span("span", 1, {}), 2)
    assert pipeline.flush()


def test_the_resource_says_which_process_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """And on which machine; no command line, which may hold a secret, and the user's own words win."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=theirs,service.version=1.2")
    monkeypatch.setattr(sys, "orig_argv", ["python", "--api-key=canary"])
    found = dict(providers.resource().attributes)
    assert found["host.name"] == "theirs"
    assert found["service.version"] == "1.2"
    assert found["process.pid"] == os.getpid()
    assert found["process.runtime.version"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert {name for name in found if name.startswith("process.")} == {
        "process.pid", "process.runtime.name", "process.runtime.version", "process.runtime.description",
    }  # fmt: skip
    assert "canary" not in str(found)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES")
    assert providers.resource().attributes["host.name"] == socket.gethostname()
