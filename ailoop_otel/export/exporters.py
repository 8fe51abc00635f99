"""Makes exporters by name; one that cannot be made is left out, with one line in the log on how to get it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Any, Final, TypeVar

from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_PROTOCOL

from ailoop_otel.export import choice
from ailoop_otel.export.choice import TRACES, Signal
from ailoop_otel.guard import Guard, warn
from ailoop_otel.recording.fast.otlp import quickened
from ailoop_otel.settings import Settings

Made = TypeVar("Made")
# What a constructor that was given a bad value, or lacks a package, is known to raise. The barrier catches the rest
# and logs a line of its own.
_EXPECTED: Final = (
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)

_FILES: Final = {
    "traces": "RotatingSpanExporter",
    "metrics": "RotatingMetricExporter",
    "logs": "RotatingLogExporter",
}
_BY_PROTOCOL: Final = {choice.HTTP: "otlp_proto_http", choice.GRPC: "otlp_proto_grpc"}
_PACKAGES: Final = {
    choice.FILES: "--force-reinstall ailoop-otel",
    "otlp_proto_http": "opentelemetry-exporter-otlp-proto-http",
    "otlp_proto_grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "otlp_json_file": "opentelemetry-exporter-otlp-json-file",
    "prometheus": "opentelemetry-exporter-prometheus",
    "zipkin": "opentelemetry-exporter-zipkin",
}


def make(signal: Signal, name: str, settings: Settings, guard: Guard) -> Any | None:
    """The exporter of a signal that `OTEL_*_EXPORTER` calls `name`, or None; its package is imported only now."""
    found = _BY_PROTOCOL.get(choice.protocol(signal), "") if name == choice.OTLP else name
    if not found:
        warn(
            f"OTLP over {choice.protocol(signal)!r} is not there for Python, so {signal.name} are not exported. "
            f"To mend it, set {OTEL_EXPORTER_OTLP_PROTOCOL} to {choice.HTTP} or {choice.GRPC}."
        )
        return None

    def explain(fault: Exception | None) -> str:
        mend = "correct the OTEL_EXPORTER_* variables"
        if isinstance(fault, ImportError | LookupError):
            package = _PACKAGES.get(found)
            mend = f"pip install {package}" if package else f"set {signal.exporter} to an exporter that is installed"
        return f"{signal.name} are not exported to {name!r} ({reason(fault)}). To mend it, {mend}."

    return attempt(lambda: _make(signal, found, settings, guard), guard, explain)


def _make(signal: Signal, name: str, settings: Settings, guard: Guard) -> Any:
    if name == choice.FILES:
        # Without a look at the entry points of everything that is installed, which takes longer than the rest.
        rotating = getattr(importlib.import_module("ailoop_otel.export.files"), _FILES[signal.name])
        bounds = (settings.directory, settings.max_file, settings.max_total, settings.max_age)
        if signal is TRACES:
            return rotating(*bounds, guard=guard, fast="json" in settings.fast_paths)
        return rotating(*bounds)
    found = _entry_points(signal, name)
    if not found:
        known = sorted({point.name for point in entry_points(group=signal.group)})
        raise LookupError(f"no such exporter is installed, only {', '.join(known) or 'none'}")
    exporter = found[0].load()()
    return quickened(exporter, guard) if signal is TRACES and "protobuf" in settings.fast_paths else exporter


def _entry_points(signal: Signal, name: str) -> tuple[EntryPoint, ...]:
    # Of a package that is known by its name first: to read those of everything that is installed takes longer than the
    # import of the exporter.
    try:
        found = tuple(distribution(_PACKAGES[name]).entry_points.select(group=signal.group, name=name))
    except (KeyError, PackageNotFoundError):
        found = ()
    return found or tuple(entry_points(group=signal.group, name=name))


def attempt(make: Callable[[], Made], guard: Guard, explain: Callable[[Exception | None], str]) -> Made | None:
    """Call `make`, which is somebody else's code with values from the environment: it may fail.

    Returns None where it fails, after one line in the log: what `explain` returns for the fault, which is None if the
    barrier has logged it already.
    """
    faults = guard.errors
    with guard:
        try:
            return make()
        except _EXPECTED as fault:
            warn(explain(fault))
            return None
    if guard.errors > faults:
        warn(explain(None))
    return None


def reason(fault: Exception | None) -> str:
    """A fault as part of a line of the log."""
    return "see the line before" if fault is None else " ".join(f"{type(fault).__name__}: {fault}".split())
