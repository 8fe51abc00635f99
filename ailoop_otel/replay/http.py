"""OTLP over HTTP: one attempt to send a request, and what the response means."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Final

import requests
import urllib3
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util.retry import Retry

from ailoop_otel.recorded.otlp_json import Signal, integer, mapping, text
from ailoop_otel.replay import hops
from ailoop_otel.replay.delivery import Answer, Attempt
from ailoop_otel.replay.destination import Destination, is_loopback

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
# The retryable status codes: https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
_RETRYABLE: Final = (429, 502, 503, 504)
# Only this request was rejected; the next may be accepted. What is no fault of the server's is so for ever.
_THIS_REQUEST: Final = (400, 413, 422, 500)
_FINAL: Final = (400, 413, 422)
# No record of the request was accepted: it is too large, or one invalid record made the collector reject all.
_DIVISIBLE: Final = (400, 413)
_TOO_LARGE: Final = 413
_TIMEOUT: Final = (5.0, 30.0)  # seconds to connect, and for the response
_LONGEST_ANSWER: Final = 64 * 1024
_LONGEST_MESSAGE: Final = 200
_FASTEST: Final = 1
_COMPRESSIONS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda content: gzip.compress(content, _FASTEST),
    "deflate": zlib.compress,
}


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
        answer = Answer(
            accepted=False,
            message=f"{code} {message}".rstrip(),
            divisible=code in _DIVISIBLE,
            too_large=code == _TOO_LARGE,
            final=code in _FINAL,
            mend=hop.mend,
        )
        return Attempt(answer, hop=hop)
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
    """The innermost cause of an exception of requests, without addresses of objects."""
    while True:
        inner = getattr(fault, "reason", None) or next((arg for arg in fault.args if isinstance(arg, Exception)), None)
        if not isinstance(inner, BaseException):
            break
        fault = inner
    cause = fault.__cause__ or fault.__context__
    named = fault if isinstance(fault, OSError) or not isinstance(cause, OSError) else cause
    return _plain(getattr(named, "strerror", None)) or type(named).__name__


def _plain(content: object) -> str:
    """A text from outside, shortened and safe to print on a terminal."""
    return text(content)[:_LONGEST_MESSAGE].strip()
