"""Makes exporters by name; one that cannot be made is left out, with one line in the log on how to get it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_PROTOCOL

from ailoop_otel.export import choice
from ailoop_otel.export.choice import Signal
from ailoop_otel.export.ledger import Ledger
from ailoop_otel.guard import Guard, warn
from ailoop_otel.recorded.otlp_json import SIGNALS
from ailoop_otel.recording.internals import grpc_channel
from ailoop_otel.settings import Settings, environment

if TYPE_CHECKING:
    from ailoop_otel.export.spool import Spool

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


class Shared:
    """What the exporters of one process have in common: the ledger, and the spool once an exporter needs it."""

    def __init__(self, settings: Settings, guard: Guard) -> None:
        self.settings = settings
        self.guard = guard
        self.ledger = Ledger()
        self.spool: Spool | None = None

    def spooling(self) -> Spool:
        """The spool, made with the first exporter that needs it: the embedded default needs none of its imports."""
        if self.spool is None:
            from ailoop_otel.export.spool import Spool

            self.spool = Spool(self.settings, self.guard, self.ledger)
        return self.spool


def make(signal: Signal, name: str, shared: Shared) -> Any | None:
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

    return attempt(lambda: _make(signal, found, shared), shared.guard, explain)


def _make(signal: Signal, name: str, shared: Shared) -> Any:
    if name == _BY_PROTOCOL[choice.HTTP]:
        return _over_http(signal, shared)
    if name == choice.FILES:
        # Without a look at the entry points of everything that is installed, which takes longer than the rest.
        rotating = getattr(importlib.import_module("ailoop_otel.export.files"), _FILES[signal.name])
        return rotating(settings=shared.settings, guard=shared.guard)
    found = _entry_points(signal, name)
    if not found:
        known = sorted({point.name for point in entry_points(group=signal.group)})
        raise LookupError(f"no such exporter is installed, only {', '.join(known) or 'none'}")
    made = found[0].load()
    return _over_grpc(signal, made, shared) if name == _BY_PROTOCOL[choice.GRPC] else made()


def _over_http(signal: Signal, shared: Shared) -> Any:
    from ailoop_otel.export import otlp
    from ailoop_otel.replay.destination import of_signal
    from ailoop_otel.replay.http import PROTOBUF, Http

    timeout = choice.export_timeout(signal)
    transport = Http(of_signal(SIGNALS[signal.name]), PROTOBUF, timeout, _credentials(signal))
    return otlp.make(signal, transport, timeout, shared.spooling(), shared.guard)


def _over_grpc(signal: Signal, official: Callable[..., Any], shared: Shared) -> Any:
    from ailoop_otel.export import grpc, otlp

    exporter = official(channel_options=grpc.OPTIONS)
    found = grpc_channel(exporter)
    if found is None:
        return exporter
    channel, metadata, address = found
    timeout = choice.export_timeout(signal)
    transport = grpc.Grpc(address, channel, metadata, timeout)
    return otlp.make(signal, transport, timeout, shared.spooling(), shared.guard)


def _credentials(signal: Signal) -> Any | None:
    """The session that a credential provider of the environment makes, or None; raises LookupError if it is missing."""
    variable = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_{}CREDENTIAL_PROVIDER"
    name = environment(variable.format("")) or environment(variable.format(f"{signal.name.upper()}_"))
    if not name:
        return None
    found = tuple(entry_points(group="opentelemetry_otlp_credential_provider", name=name))
    if not found:
        raise LookupError(f"no credential provider {name!r} is installed")
    return found[0].load()()


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
