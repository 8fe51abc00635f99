"""Exporters that can and cannot be made."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, PackageNotFoundError
from typing import Any

import pytest

from ailoop_otel.export import exporters
from ailoop_otel.export.choice import SIGNALS
from ailoop_otel.export.exporters import Shared
from ailoop_otel.export.files import RotatingLogExporter, RotatingMetricExporter, RotatingSpanExporter
from ailoop_otel.guard import Guard
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES, Signal
from ailoop_otel.settings import Settings

Lines = Callable[[], list[str]]


class Surprise(Exception):
    """What nobody has foreseen."""


def _install(monkeypatch: pytest.MonkeyPatch, **classes: object) -> None:
    """Have these entry points, and no others, in every group."""
    made = [EntryPoint(name, f"vendor_{name}:made", "any") for name in classes]
    for name, made_by in classes.items():
        monkeypatch.setitem(sys.modules, f"vendor_{name}", type(sys)(f"vendor_{name}"))
        sys.modules[f"vendor_{name}"].made = made_by  # type: ignore[attr-defined]
    monkeypatch.setattr(exporters, "entry_points", lambda group, name=None: [p for p in made if name in (None, p.name)])

    def missing(package: str) -> Any:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(exporters, "distribution", missing)


@pytest.mark.parametrize(
    ("signal", "kind"),
    [(TRACES, RotatingSpanExporter), (METRICS, RotatingMetricExporter), (LOGS, RotatingLogExporter)],
)
def test_our_files_are_made_with_the_settings(signal: Signal, kind: type, guard: Guard) -> None:
    """They write where the settings say, which may not be where the environment says."""
    exporter = exporters.make(signal, "ailoop_json_files", Shared(Settings(directory="elsewhere"), guard))
    assert isinstance(exporter, kind)
    assert exporter.file._directory.endswith("/elsewhere")
    assert getattr(exporter, "_guard", guard) is guard
    exporter.shutdown()


@pytest.mark.parametrize(
    ("name", "protocol", "transport"),
    [
        ("otlp", "", "Http"),
        ("otlp", "http/protobuf", "Http"),
        ("otlp", "grpc", "Grpc"),
        ("otlp_proto_grpc", "", "Grpc"),
        ("otlp_proto_http", "grpc", "Http"),
    ],
)
@pytest.mark.parametrize("signal", [TRACES, METRICS, LOGS])
def test_otlp_speaks_the_protocol_that_is_set(
    monkeypatch: pytest.MonkeyPatch, signal: Signal, name: str, protocol: str, transport: str, guard: Guard
) -> None:
    """Without one it is http/protobuf; an exporter that is named with its protocol speaks that one."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    exporter = exporters.make(signal, name, Shared(Settings(), guard))
    assert exporter is not None
    assert type(exporter.sink._transport).__name__ == transport
    exporter.shutdown()


def test_console_and_other_entry_points(guard: Guard) -> None:
    """Any name that is registered will do."""
    exporter = exporters.make(TRACES, "console", Shared(Settings(), guard))
    assert type(exporter).__name__ == "ConsoleSpanExporter"


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_known_exporter_is_found_in_its_own_package(
    signal: Signal, protocol: str, monkeypatch: pytest.MonkeyPatch, guard: Guard
) -> None:
    """Without a look at all that is installed."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setattr(exporters, "entry_points", None)
    exporter = exporters.make(signal, "otlp", Shared(Settings(), guard))
    assert exporter is not None
    exporter.shutdown()


@pytest.mark.fault(
    "settings",
    theirs="OTEL_*_EXPORTER names an exporter that does not exist",
    promise="One line says which variable is wrong and what there would be",
)
def test_a_name_that_nobody_has(guard: Guard, lines: Lines) -> None:
    """One line says which variable is wrong and what there would be."""
    assert exporters.make(METRICS, "jaeger", Shared(Settings(), guard)) is None
    (line,) = lines()
    assert "'jaeger'" in line
    assert "OTEL_METRICS_EXPORTER" in line
    assert "console" in line


def test_an_exporter_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, guard: Guard, lines: Lines) -> None:
    """One line says which package brings it."""
    _install(monkeypatch, console=object)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert exporters.make(TRACES, "otlp", Shared(Settings(), guard)) is None
    (line,) = lines()
    assert "pip install opentelemetry-exporter-otlp-proto-grpc" in line


def test_an_exporter_that_lacks_what_it_needs(monkeypatch: pytest.MonkeyPatch, guard: Guard, lines: Lines) -> None:
    """An import that fails inside the exporter's package is reported the same way."""
    monkeypatch.setitem(sys.modules, "grpc", None)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.exporter.otlp.proto.grpc")]:
        monkeypatch.delitem(sys.modules, name)
    assert exporters.make(TRACES, "otlp_proto_grpc", Shared(Settings(), guard)) is None
    (line,) = lines()
    assert "pip install opentelemetry-exporter-otlp-proto-grpc" in line
    assert "grpc" in line


@pytest.mark.fault(
    "settings",
    theirs="OTEL_EXPORTER_OTLP_PROTOCOL names a protocol that Python lacks",
    promise="One line says what there is",
)
def test_a_protocol_that_does_not_exist(monkeypatch: pytest.MonkeyPatch, guard: Guard, lines: Lines) -> None:
    """OTLP/JSON over HTTP has no exporter for Python; one line says what there is."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json")
    assert exporters.make(TRACES, "otlp", Shared(Settings(), guard)) is None
    (line,) = lines()
    assert "http/json" in line
    assert "http/protobuf or grpc" in line


@pytest.mark.fault(
    "settings",
    theirs="An exporter's constructor raises",
    promise="One line without the traceback; the server starts",
)
@pytest.mark.parametrize("kind", [ValueError, Surprise, SystemExit])
def test_an_exporter_that_refuses_its_settings(
    monkeypatch: pytest.MonkeyPatch, guard: Guard, lines: Lines, kind: type[BaseException]
) -> None:
    """A constructor that raises, whatever it raises, is one line, without the traceback."""

    def refuse() -> None:
        raise kind("no\nsuch port")

    _install(monkeypatch, vendor=refuse)
    assert exporters.make(TRACES, "vendor", Shared(Settings(), guard)) is None
    (line,) = lines()
    assert f"{kind.__name__}: no such port" in line
    assert "\n" not in line
