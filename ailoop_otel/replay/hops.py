"""The hops between here and the collector, and what it means if one fails.

Errors are classified; their texts, which may hold secrets, are not repeated.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_CERTIFICATE,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
)

from ailoop_otel.settings import without_secrets

_MOST_CAUSES: Final = 32


@dataclass(frozen=True)
class Hop:
    """A hop that failed: its name, what happened in a sentence, and the remedy."""

    name: str
    sentence: str
    mend: str


# fmt: off
ADDRESS: Final = Hop("no address", "that is no address of a collector",
    f"Set {OTEL_EXPORTER_OTLP_ENDPOINT}=http://HOST:4318.")
_DNS: Final = Hop("DNS", "the name of its host is not known here",
    f"Correct the host in {OTEL_EXPORTER_OTLP_ENDPOINT}, or the DNS.")
_REFUSED: Final = Hop("connection refused", "nobody listens there",
    f"Start the collector, or correct host and port in {OTEL_EXPORTER_OTLP_ENDPOINT}.")
_UNREACHABLE: Final = Hop("network", "there is no way to its host",
    "Look at the network, the firewall and the proxy variables.")
_PROXY: Final = Hop("proxy", "the proxy that the environment names does not lead there",
    "Correct HTTPS_PROXY, or add the host to NO_PROXY.")
_TLS: Final = Hop("TLS", "no TLS connection comes about",
    f"Use http:// if the collector speaks no TLS; else name its certificate's authority in "
    f"{OTEL_EXPORTER_OTLP_CERTIFICATE} (REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE win over it).")
LATE: Final = Hop("no answer", "it does not answer in time",
    "Look whether the collector is stuck or a firewall swallows the connection; --timeout waits longer.")
_NOT_HTTP: Final = Hop("protocol", "whoever listens there speaks no OTLP over HTTP",
    f"Port 4317 is for gRPC: take 4318, or set {OTEL_EXPORTER_OTLP_PROTOCOL}=grpc.")
_NOT_GRPC: Final = Hop("protocol", "whoever listens there speaks no gRPC",
    f"Port 4318 is for HTTP: take 4317, or set {OTEL_EXPORTER_OTLP_PROTOCOL}=http/protobuf.")
_LOG: Final = "Look at the collector's log."
_CREDENTIALS: Final = f"Put the credentials that it wants into {OTEL_EXPORTER_OTLP_HEADERS}."
_REDIRECTED: Final = f"Name the address that it sends to in {OTEL_EXPORTER_OTLP_ENDPOINT}; http or https, for a start."
_PAGE: Final = Hop("protocol", "it answers with a page, as a web server or a user interface does",
    f"Name the address of its OTLP/HTTP receiver in {OTEL_EXPORTER_OTLP_ENDPOINT}, port 4318 as a rule.")
# fmt: on
_BUSY: Final = "It runs, but takes nothing now: look at the collector's log, and at what is behind it."
TOO_LARGE: Final = "Raise the collector's limit for one request."
# What an answer to OTLP may be; a body of any other type is somebody else's.
_OTLP_TYPES: Final = ("", "application/x-protobuf", "application/protobuf", "application/json")
_STATUS_MENDS: Final = {
    401: _CREDENTIALS,
    403: _CREDENTIALS,
    404: f"Correct the path: {OTEL_EXPORTER_OTLP_TRACES_ENDPOINT} is used as it stands and ends in /v1/traces.",
    405: f"Correct the path: {OTEL_EXPORTER_OTLP_TRACES_ENDPOINT} is used as it stands and ends in /v1/traces.",
    407: "Correct HTTPS_PROXY, or add the host to NO_PROXY.",
    413: TOO_LARGE,
    415: "It takes no OTLP in this form: look at the collector's log.",
    429: "It is given too much: look at the collector's limits.",
    502: _BUSY,
    503: _BUSY,
    504: _BUSY,
}
_UNREACHABLE_NUMBERS: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH)
_GRPC_CREDENTIALS: Final = ("UNAUTHENTICATED", "PERMISSION_DENIED")
# Parts of gRPC's message for a connection that fails, in lower case.
_GRPC_WORDS: Final = (
    ("dns resolution", _DNS),
    ("refused", _REFUSED),
    ("ssl", _TLS),
    ("handshake", _TLS),
    ("certificate", _TLS),
    ("unreachable", _UNREACHABLE),
)


def rejecting(rejected: int, message: str) -> Hop | None:
    """A request was taken but for `rejected` records; None if for none."""
    if not rejected:
        return None
    return Hop("rejected", f"it takes the request and rejects what is in it ({message or 'no reason'})", _LOG)


def of_response(status: int, content_type: str, location: str = "", *, empty: bool = False) -> Hop | None:
    """Classify an HTTP response by status, content type and `Location`; None if the telemetry was accepted.

    `empty` says that its body is empty: then its type does not matter, unless it is a page's.
    """
    if 200 <= status < 300:
        kind = content_type.partition(";")[0].strip().lower()
        return None if kind in _OTLP_TYPES or (empty and kind != "text/html") else _PAGE
    if 300 <= status < 400:
        # A redirect is not followed: to where it leads, a POST may arrive as a GET, and credentials must not go there.
        place = without_secrets(location) or "elsewhere"
        return Hop(f"HTTP {status}", f"it answers {status} and sends to {place}; nothing is taken", _REDIRECTED)
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    mend = _STATUS_MENDS.get(status, "Look at the collector's log: it refuses, or its backend does not answer.")
    return Hop(f"HTTP {status}", f"it answers {status}{phrase}", mend)


def of_exception(fault: BaseException) -> Hop:
    """Classify an exception by its type and the types of its causes."""
    found = list(causes(fault))
    names = {type(cause).__name__ for cause in found}
    for is_it, hop in (
        (bool(names & {"MissingSchema", "InvalidSchema", "InvalidURL", "LocationParseError"}), ADDRESS),
        ("ProxyError" in names, _PROXY),
        (any(isinstance(cause, socket.gaierror) for cause in found), _DNS),
        (any(isinstance(cause, ConnectionRefusedError) for cause in found), _REFUSED),
        (any(isinstance(cause, ssl.SSLError) for cause in found), _TLS),
        (bool(names & {"ConnectTimeout", "ReadTimeout", "TimeoutError", "timeout"}), LATE),
        (any(getattr(cause, "errno", 0) in _UNREACHABLE_NUMBERS for cause in found), _UNREACHABLE),
    ):
        if is_it:
            return hop
    return _NOT_HTTP


def of_grpc(code: str, details: str) -> Hop:
    """Classify a gRPC status code and its details."""
    if code in _GRPC_CREDENTIALS:
        return Hop(f"gRPC {code}", f"it answers {code}", _CREDENTIALS)
    if code == "DEADLINE_EXCEEDED":
        return LATE
    if code == "UNAVAILABLE":
        return next((hop for words, hop in _GRPC_WORDS if words in details.lower()), _NOT_GRPC)
    if code == "UNIMPLEMENTED":
        return _NOT_GRPC
    return Hop(f"gRPC {code}", f"it answers {code}", _LOG)


def causes(fault: BaseException) -> Iterator[BaseException]:
    """An exception and its causes; urllib3 keeps causes in `args` and `reason` too."""
    pending: list[object] = [fault]
    seen: list[object] = []
    while pending and len(seen) < _MOST_CAUSES:
        each = pending.pop(0)
        if isinstance(each, BaseException) and not any(each is other for other in seen):
            seen.append(each)
            yield each
            pending += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
