"""The OTLP/HTTP receiver that recorded telemetry is sent to, and its credentials."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_CERTIFICATE,
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE,
    OTEL_EXPORTER_OTLP_CLIENT_KEY,
    OTEL_EXPORTER_OTLP_COMPRESSION,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_PROTOCOL,
)
from opentelemetry.util.re import parse_env_headers

from ailoop_otel.recorded.otlp_json import SIGNALS, Signal
from ailoop_otel.settings import UsageError, environment, without_secrets

DEFAULT: Final = "http://127.0.0.1:4318"
_OTLP_DEFAULT: Final = "http://localhost:4318"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_FILES: Final = (
    OTEL_EXPORTER_OTLP_CERTIFICATE,
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE,
    OTEL_EXPORTER_OTLP_CLIENT_KEY,
)
_SIGNAL_PATH: Final = re.compile(rf"/v1/(?:{'|'.join(SIGNALS)})$")


@dataclass(frozen=True, slots=True)
class Destination:
    """An OTLP/HTTP receiver; `base` is its address without `/v1/…` and without secrets."""

    base: str
    headers: Mapping[str, str]
    user: tuple[str, str] | None = None
    verify: bool | str = True
    certificate: tuple[str, str] | str | None = None
    compression: str = "gzip"
    # Used as it stands, if one signal has an address of its own.
    address: str = ""

    def url(self, signal: Signal) -> str:
        """The address for the requests of a signal."""
        return self.address or f"{self.base}/v1/{signal.name}"


def destination(endpoint: str, *, insecure: bool) -> Destination:
    """The receiver at `endpoint`, or else that of the environment; raises UsageError if it is not usable."""
    if not endpoint and environment(OTEL_EXPORTER_OTLP_PROTOCOL) == "grpc":
        reason = f"{OTEL_EXPORTER_OTLP_PROTOCOL} says grpc, but a recording is sent by HTTP"
        raise UsageError(f"{reason}: name the OTLP/HTTP address with --endpoint, port 4318 as a rule")
    try:
        found = _at(endpoint or environment(OTEL_EXPORTER_OTLP_ENDPOINT) or DEFAULT, environment)
    except ValueError as fault:
        raise UsageError(f"--endpoint {fault}") from None
    for variable in _FILES[insecure:]:
        path = environment(variable)
        if path and not Path(path).is_file():
            raise UsageError(f"{variable} names {path}, which is no file: correct or unset it")
    return replace(found, verify=False if insecure else found.verify)


def of_signal(signal: Signal) -> Destination:
    """The receiver of one signal's exporter, as `OTEL_EXPORTER_OTLP_*` says; raises ValueError for what is no address.

    Files that are missing are left for the first attempt to find: they may come later.
    """

    def variable(name: str) -> str:
        return environment(signal.own(name)) or environment(name)

    shared = (environment(OTEL_EXPORTER_OTLP_ENDPOINT) or _OTLP_DEFAULT).removesuffix("/")
    address = environment(signal.own(OTEL_EXPORTER_OTLP_ENDPOINT)) or f"{shared}/v1/{signal.name}"
    found, parts = _at(address, variable), urlsplit(address)
    return replace(
        found,
        compression=variable(OTEL_EXPORTER_OTLP_COMPRESSION).lower(),
        address=urlunsplit((parts.scheme, _host(parts), parts.path, parts.query, "")),
    )


def is_loopback(address: str) -> bool:
    """Whether an address is on this machine: for a proxy it would be the proxy's own."""
    return urlsplit(address if "//" in address else f"//{address}").hostname in _LOOPBACK


def is_address(address: str) -> bool:
    """Whether a text is the address of an HTTP server."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _at(address: str, variable: Callable[[str], str]) -> Destination:
    """The receiver at an address; `variable` reads the environment. Raises ValueError for what is no address."""
    if not is_address(address):
        raise ValueError(f"{without_secrets(address)!r} is no address: write it like {DEFAULT}")
    parts = urlsplit(address)
    path = _SIGNAL_PATH.sub("", parts.path.rstrip("/")).rstrip("/")
    authority, certificate, key = map(variable, _FILES)
    return Destination(
        base=urlunsplit((parts.scheme, _host(parts), path, "", "")),
        headers=parse_env_headers(variable(OTEL_EXPORTER_OTLP_HEADERS), liberal=True),
        user=(unquote(parts.username), unquote(parts.password or "")) if parts.username is not None else None,
        verify=authority or True,
        certificate=(certificate, key) if certificate and key else certificate or None,
    )


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]
