"""The rules by which the environment decides where telemetry goes: one place, for the pipeline and the distro."""

from __future__ import annotations

import re
from typing import Final

from opentelemetry.sdk.environment_variables import (
    OTEL_CONFIG_FILE,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TIMEOUT,
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT,
)

from ailoop_otel.export.signals import SIGNALS, Signal
from ailoop_otel.guard import warn
from ailoop_otel.settings import environment

FILES: Final = "ailoop_json_files"
OTLP: Final = "otlp"
HTTP: Final = "http/protobuf"
GRPC: Final = "grpc"
_HTTP_BASE: Final = "http://localhost:4318"
_GRPC_BASE: Final = "http://localhost:4317"

_PATIENCE: Final = 10.0  # seconds

# The embedded default: a message is in the files a second after it is done and recorded (`deferred.PAUSE`).
SPAN_DELAY_MS: Final = 1_000
LOG_DELAY_MS: Final = 1_000
METRIC_INTERVAL_MS: Final = 10_000


def is_anything_set() -> bool:
    """Whether the environment says anything about where telemetry goes."""
    return bool(environment(OTEL_CONFIG_FILE)) or _has_names() or _has_endpoint()


def exporters(signal: Signal) -> tuple[str, ...]:
    """The names of a signal's exporters, as `OTEL_*_EXPORTER` would hold them; `OTEL_CONFIG_FILE` aside.

    A signal that is not named goes where an endpoint says. Where there is no endpoint either, it goes into files
    if nothing is said of the others, and else nowhere: naming one signal's exporter is not asking for the rest.
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
    return environment(signal.protocol) or environment(OTEL_EXPORTER_OTLP_PROTOCOL) or HTTP


def endpoint(signal: Signal) -> str:
    """Where a signal's `otlp` exporter sends to, without what may be a secret in it."""
    own = environment(signal.endpoint)
    shared = environment(OTEL_EXPORTER_OTLP_ENDPOINT)
    if protocol(signal) == GRPC:
        return _without_secrets(own or shared or _GRPC_BASE)
    return _without_secrets(own or f"{(shared or _HTTP_BASE).removesuffix('/')}/v1/{signal.name}")


def patience() -> float:
    """Seconds that one export of spans may take with all its retries; the SDK's default where nothing is said."""
    text = environment(OTEL_EXPORTER_OTLP_TRACES_TIMEOUT) or environment(OTEL_EXPORTER_OTLP_TIMEOUT)
    try:
        seconds = float(text or _PATIENCE)
    except ValueError:  # the exporter says so itself
        return _PATIENCE
    return seconds if seconds >= 0 else _PATIENCE


def whole(name: str, default: int) -> int:
    """A variable that holds a whole number above 0; says one line and takes the default if it does not."""
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
    return any(environment(name) for name in (OTEL_EXPORTER_OTLP_ENDPOINT, *(s.endpoint for s in SIGNALS)))


def _without_secrets(url: str) -> str:
    return re.sub(r"^(\w+://)?[^/@]*@", r"\1", url.partition("?")[0])
