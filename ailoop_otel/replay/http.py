"""OTLP over HTTP: the receiver and its credentials, one attempt to send a request, and what the response means."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import requests
import urllib3
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
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util.retry import Retry

from ailoop_otel.recorded.otlp_json import SIGNALS, Signal, integer, mapping, text
from ailoop_otel.replay import hops
from ailoop_otel.replay.delivery import Answer, Attempt
from ailoop_otel.settings import UsageError, environment, is_address, is_loopback, without_secrets

DEFAULT: Final = "http://127.0.0.1:4318"
_OTLP_DEFAULT: Final = "http://localhost:4318"
_FILES: Final = (
    OTEL_EXPORTER_OTLP_CERTIFICATE,
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE,
    OTEL_EXPORTER_OTLP_CLIENT_KEY,
)
_SIGNAL_PATH: Final = re.compile(rf"/v1/(?:{'|'.join(SIGNALS)})$")
JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
# The retryable status codes: https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
_RETRYABLE: Final = (429, 502, 503, 504)
# Only this request was rejected; the next may be accepted. What is no fault of the server's is so for ever. Divisible:
# no record of the request was accepted, as it is too large, or one invalid record made the collector reject all.
_THIS_REQUEST: Final = {
    400: Answer(accepted=False, divisible=True, final=True),
    413: Answer(accepted=False, divisible=True, final=True, too_large=True),
    422: Answer(accepted=False, final=True),
    500: Answer(accepted=False),
}
_TIMEOUT: Final = (5.0, 30.0)  # seconds to connect, and for the response
_LONGEST_ANSWER: Final = 64 * 1024
_LONGEST_MESSAGE: Final = 200
_FASTEST: Final = 1
_COMPRESSIONS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda content: gzip.compress(content, _FASTEST),
    "deflate": zlib.compress,
}


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


class Http:
    """A persistent connection to a collector, for requests in one encoding; `timeout` is in seconds.

    `session` is one that a credential provider has made.
    """

    def __init__(
        self,
        destination: Destination,
        kind: str = JSON,
        timeout: float | tuple[float, float] = _TIMEOUT,
        session: requests.Session | None = None,
    ) -> None:
        self.base = destination.base
        self._destination = destination
        self._timeout = timeout
        self._compress = _COMPRESSIONS.get(destination.compression)
        self._headers = {"User-Agent": "ailoop-otel", **destination.headers, "Content-Type": kind}
        if self._compress is not None:
            self._headers["Content-Encoding"] = destination.compression
        self._session = session or _session(destination)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def attempt(self, signal: Signal, content: bytes) -> Attempt:
        """Send one request once."""
        body = self._compress(content) if self._compress else content
        try:
            response = self._session.post(
                self._destination.url(signal),
                data=body,
                headers=self._headers,
                timeout=self._timeout,
                verify=self._destination.verify,
                allow_redirects=False,
                stream=True,
            )
        except (requests.exceptions.RequestException, OSError) as fault:
            return _failed(fault)
        return _answered(signal, response, _content(response))


def _failed(fault: OSError) -> Attempt:
    hop, kinds = hops.of_exception(fault), requests.exceptions
    if isinstance(fault, kinds.SSLError):
        mend = "set OTEL_EXPORTER_OTLP_CERTIFICATE to its authority's, or --insecure"
        return Attempt(problem=f"cannot be trusted: {mend} ({_reason(fault)})", hop=hop, hopeless=True)
    if isinstance(fault, kinds.Timeout):
        return Attempt(problem="does not answer", hop=hop)
    if isinstance(fault, kinds.ConnectionError | kinds.ChunkedEncodingError):
        return Attempt(problem=f"does not answer ({_reason(fault)})", hop=hop, broken=True)
    return Attempt(problem=f"cannot be asked ({_reason(fault)})", hop=hop, hopeless=True)


def _session(destination: Destination) -> requests.Session:
    session = requests.Session()
    session.trust_env = not is_loopback(destination.base)
    # Not None: requests would then read ~/.netrc and replace the Authorization header with what it finds there.
    session.auth = HTTPBasicAuth(*destination.user) if destination.user else lambda prepared: prepared
    session.cert = destination.certificate
    if destination.verify is False:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return session


def _answered(signal: Signal, response: requests.Response, content: bytes) -> Attempt:
    code, kind = response.status_code, response.headers.get("Content-Type", "")
    hop = hops.of_response(code, kind, response.headers.get("Location", ""), empty=not content)
    if code in _RETRYABLE:
        return Attempt(problem=f"answers {code}", hop=hop, pause=_requested_pause(response))
    rejected, message = _said(signal, kind, content, accepted=200 <= code < 300)
    if hop is None:
        return Attempt(Answer(accepted=True, rejected=rejected, message=message), hop=hops.rejecting(rejected, message))
    if code in _THIS_REQUEST:
        return Attempt(replace(_THIS_REQUEST[code], message=f"{code} {message}".rstrip(), mend=hop.mend), hop=hop)
    explained = f"{hop.sentence} {message}".rstrip()
    return Attempt(Answer(accepted=False, message=explained, unsupported=True, mend=hop.mend), hop=hop)


def _said(signal: Signal, kind: str, content: bytes, *, accepted: bool) -> tuple[int, str]:
    """How many records a response rejects, and its message; nothing where it says nothing."""
    if content and "protobuf" in kind:
        from ailoop_otel.replay import protobuf

        rejected, message = protobuf.said(signal, content, accepted=accepted)
        return rejected, _plain(message)
    try:
        document = mapping(json.loads(content))
    except (ValueError, RecursionError):
        return 0, ""
    if not accepted:
        return 0, _plain(document.get("message"))
    partial = mapping(document.get("partialSuccess"))
    return max(0, integer(partial.get(signal.rejected)) or 0), _plain(partial.get("errorMessage"))


def _content(response: requests.Response) -> bytes:
    """The beginning of a response's body. Reads to the end, so that the connection can be reused."""
    try:
        with response:
            content = response.raw.read(_LONGEST_ANSWER, decode_content=True)
            return content if isinstance(content, bytes) else b""
    except (HTTPError, OSError):
        return b""


def _requested_pause(response: requests.Response) -> float:
    """The pause that the collector requests by `Retry-After`, in seconds; 0 if none."""
    try:
        return Retry().get_retry_after(response.raw) or 0.0
    except InvalidHeader:
        return 0.0


def _reason(fault: BaseException) -> str:
    """What the system says of an exception of requests, else the innermost cause, without addresses of objects."""
    causes = list(hops.causes(fault))
    said = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    return _plain(said) or type(causes[-1]).__name__


def _plain(content: object) -> str:
    """A text from outside, shortened and safe to print on a terminal."""
    return text(content)[:_LONGEST_MESSAGE].strip()
