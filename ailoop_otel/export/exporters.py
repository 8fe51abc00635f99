"""Makes exporters by name; one that cannot be made is left out, with one line in the log on how to get it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_PROTOCOL

from ailoop_otel.export import choice
from ailoop_otel.export.ledger import Ledger
from ailoop_otel.guard import Guard, warn
from ailoop_otel.recorded.otlp_json import Signal
from ailoop_otel.recording.internals import grpc_channel
from ailoop_otel.settings import Settings, environment

if TYPE_CHECKING:
    from ailoop_otel.export.spool import Spool
    from ailoop_otel.replay.delivery import Transport

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
    if name == choice.FILES:
        # Without a look at the entry points of everything that is installed, which takes longer than the rest.
        rotating = getattr(importlib.import_module("ailoop_otel.export.files"), _FILES[signal.name])
        return rotating(settings=shared.settings, guard=shared.guard)
    if name not in _BY_PROTOCOL.values():
        return _official(signal, name)()
    from ailoop_otel.export import otlp

    protocol = choice.HTTP if name == _BY_PROTOCOL[choice.HTTP] else choice.GRPC
    timeout = choice.export_timeout(signal)
    try:
        way = transport(signal, protocol, timeout)
    except NotImplementedError:
        return _official(signal, name)()
    return otlp.make(signal, way, timeout, shared.spooling(), shared.guard)


def transport(signal: Signal, protocol: str, timeout: float) -> Transport:
    """The way to the collector of a signal's exporter by a protocol, each request within `timeout` seconds.

    Raises LookupError or ImportError where there is none for the protocol, ValueError for what is no address, and
    NotImplementedError where only the official exporter knows it.
    """
    if protocol == choice.HTTP:
        from ailoop_otel.replay.http import PROTOBUF, Http, of_signal

        return Http(of_signal(signal), PROTOBUF, timeout, _credentials(signal))
    if protocol != choice.GRPC:
        raise LookupError(f"OTLP over {protocol!r}")
    from ailoop_otel.export import grpc

    found = grpc_channel(_official(signal, _BY_PROTOCOL[choice.GRPC])(channel_options=grpc.OPTIONS))
    if found is None:
        raise NotImplementedError("its channel is not to be had")
    channel, metadata, address = found
    return grpc.Grpc(address, channel, metadata, timeout)


def _official(signal: Signal, name: str) -> Any:
    """The class of an exporter that is installed; raises LookupError if it is not."""
    # Of a package that is known by its name first: to read the entry points of everything that is installed takes
    # longer than the import of the exporter.
    try:
        found = tuple(distribution(_PACKAGES[name]).entry_points.select(group=signal.group, name=name))
    except (KeyError, PackageNotFoundError):
        found = ()
    found = found or tuple(entry_points(group=signal.group, name=name))
    if not found:
        known = sorted({point.name for point in entry_points(group=signal.group)})
        raise LookupError(f"no such exporter is installed, only {', '.join(known) or 'none'}")
    return found[0].load()


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
