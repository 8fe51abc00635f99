"""The rules by which the environment (`OTEL_*`) decides where each signal goes.

Used by the pipeline, the distro and the doctor.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Final

from opentelemetry.sdk.environment_variables import (
    OTEL_CONFIG_FILE,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TIMEOUT,
)

from ailoop_otel.guard import warn
from ailoop_otel.recorded import otlp_json
from ailoop_otel.recorded.otlp_json import Signal
from ailoop_otel.settings import environment, without_secrets

SIGNALS: Final = tuple(otlp_json.SIGNALS.values())

FILES: Final = "ailoop_json_files"
OTLP: Final = "otlp"
HTTP: Final = "http/protobuf"
GRPC: Final = "grpc"
_HTTP_BASE: Final = "http://localhost:4318"
_GRPC_BASE: Final = "http://localhost:4317"

_EXPORT_TIMEOUT: Final = 10.0  # seconds, the SDK's default
# From here on a number of seconds is hardly one: a quarter of an hour and more for one export.
_MILLISECONDS: Final = 1000.0

# The embedded default: a message is in the files a second after it is done and recorded (`deferred.PAUSE`).
SPAN_DELAY_MS: Final = 1_000
LOG_DELAY_MS: Final = 1_000
# To a collector too: with the SDK's minute most rates of a dashboard have no two points, and its panels stay empty.
METRIC_INTERVAL_MS: Final = 10_000


def is_anything_set() -> bool:
    """Whether the environment sets anything about where telemetry goes."""
    return bool(environment(OTEL_CONFIG_FILE)) or _has_names() or _has_endpoint()


def exporters(signal: Signal) -> tuple[str, ...]:
    """The names of a signal's exporters, as `OTEL_*_EXPORTER` would hold them; `OTEL_CONFIG_FILE` aside.

    A signal whose exporter is not named goes to an endpoint if one is set. Without an endpoint it goes into files if
    the others' exporters are not named either, and else nowhere: to name one signal's exporter is not to ask for the
    rest.
    """
    named = environment(signal.exporter)
    if named:
        names = (name.strip() for name in named.split(","))
        return tuple(dict.fromkeys(name for name in names if name and name.lower() != "none"))
    if _has_endpoint():
        return (OTLP,)
    return () if _has_names() else (FILES,)


def is_embedded(signal: Signal) -> bool:
    """Whether a signal goes into our files, which are to be read while they are written."""
    return FILES in exporters(signal)


def protocol(signal: Signal) -> str:
    """The protocol of a signal's `otlp` exporter; without one it is http/protobuf, which needs no extra."""
    return environment(signal.own(OTEL_EXPORTER_OTLP_PROTOCOL)) or environment(OTEL_EXPORTER_OTLP_PROTOCOL) or HTTP


def endpoint(signal: Signal) -> str:
    """Where a signal's `otlp` exporter sends to, without what may be a secret in it."""
    own = environment(signal.own(OTEL_EXPORTER_OTLP_ENDPOINT))
    shared = environment(OTEL_EXPORTER_OTLP_ENDPOINT)
    if protocol(signal) == GRPC:
        return without_secrets(own or shared or _GRPC_BASE)
    return without_secrets(own or f"{(shared or _HTTP_BASE).removesuffix('/')}/v1/{signal.name}")


def milliseconds() -> list[str]:
    """One sentence for each timeout that was probably meant as milliseconds, which the specification has."""
    names = (OTEL_EXPORTER_OTLP_TIMEOUT, *(signal.own(OTEL_EXPORTER_OTLP_TIMEOUT) for signal in SIGNALS))
    found = []
    for name in names:
        with suppress(ValueError):
            if (value := float(environment(name) or 0)) >= _MILLISECONDS:
                found.append(
                    f"{name}={value:g} is {value:g} seconds: Python's SDK reads it as seconds, not as milliseconds. "
                    f"Set {value / 1000:g} for {value / 1000:g} s."
                )
    return found


def export_timeout(signal: Signal) -> float:
    """Seconds that one export of a signal may take; the SDK's default where none is set, or none that makes sense."""
    own = signal.own(OTEL_EXPORTER_OTLP_TIMEOUT)
    name = own if environment(own) else OTEL_EXPORTER_OTLP_TIMEOUT
    text = environment(name)
    with suppress(ValueError):
        seconds = float(text or _EXPORT_TIMEOUT)
        if 0 < seconds < threading.TIMEOUT_MAX:
            return seconds
    warn(f"{name}={text!r} is no number of seconds above 0; {_EXPORT_TIMEOUT:g} is used instead.")
    return _EXPORT_TIMEOUT


def whole(name: str, default: int) -> int:
    """A variable that holds a whole number above 0; otherwise the default, and one line in the log."""
    text = environment(name)
    if not text:
        return default
    if text.isdecimal() and int(text) > 0:
        return int(text)
    warn(f"{name}={text!r} is not a whole number above 0; {default} is used instead.")
    return default


def _has_names() -> bool:
    return any(environment(signal.exporter) for signal in SIGNALS)


def _has_endpoint() -> bool:
    name = OTEL_EXPORTER_OTLP_ENDPOINT
    return any(environment(each) for each in (name, *(signal.own(name) for signal in SIGNALS)))
