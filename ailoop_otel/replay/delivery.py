"""Sends one export request to a collector, with retries, and classifies the response."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import requests
import urllib3
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util.retry import Retry

from ailoop_otel.recorded.otlp_json import Json, integer, mapping, text
from ailoop_otel.replay import ReplayStopped
from ailoop_otel.replay.destination import Destination
from ailoop_otel.replay.export_request import ExportRequest

# The retryable status codes: https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
_RETRYABLE: Final = (429, 502, 503, 504)
# Only this request was rejected; the next may be accepted.
_THIS_REQUEST: Final = (400, 413, 422, 500)
# No record of the request was accepted: it is too large, or one invalid record made the collector reject all.
_DIVISIBLE: Final = (400, 413)
_MENDS: Final = {
    401: "set OTEL_EXPORTER_OTLP_HEADERS to what it asks for",
    403: "set OTEL_EXPORTER_OTLP_HEADERS to what it asks for",
    404: "it has no OTLP/HTTP receiver for them there",
    415: "it takes no OTLP as JSON",
}
_TIMEOUT: Final = (5.0, 30.0)  # seconds to connect, and for the response
_LONGEST_PAUSE: Final = 10.0  # seconds, unless the collector requests more
_LONGEST_ANSWER: Final = 64 * 1024
_LONGEST_MESSAGE: Final = 200
_FASTEST: Final = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """A collector's response to one request: whether it was accepted, except for `rejected` records; its message.

    `unsupported` means that it accepts no request of this signal, `divisible` that a part of this one may be accepted.
    """

    accepted: bool
    rejected: int = 0
    message: str = ""
    unsupported: bool = False
    divisible: bool = False


class Delivery:
    """A persistent connection to a collector; each request is retried for `patience` seconds.

    `on_wait` is called before each pause with the reason and its length in seconds.
    """

    def __init__(
        self,
        destination: Destination,
        patience: float,
        on_wait: Callable[[str, float], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._destination = destination
        self._patience = patience
        self._on_wait = on_wait
        self._clock = clock
        self._sleep = sleep
        self._session = _session(destination)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def send(self, request: ExportRequest) -> Answer:
        """Send one request; raises ReplayStopped if `patience` ends before the collector has answered."""
        body = gzip.compress(request.content, _FASTEST)
        url = self._destination.url(request.signal)
        begin = self._clock()
        retry = Retry(total=None, allowed_methods=None, backoff_factor=0.25)
        while True:
            response, problem = self._post(url, body)
            if response is not None and response.status_code not in _RETRYABLE:
                return _answer(request, response)
            retry = retry.increment("POST", url, error=HTTPError(problem))
            pause = _requested_pause(retry, response) or min(retry.get_backoff_time(), _LONGEST_PAUSE)
            if self._clock() - begin + pause > self._patience:
                asks = f" and asks to be left alone for {pause:.0f} s" if pause > _LONGEST_PAUSE else ""
                raise ReplayStopped(f"{self._destination.base} {problem}{asks}")
            self._on_wait(f"{self._destination.base} {problem}", pause)
            self._sleep(pause)

    def _post(self, url: str, body: bytes) -> tuple[requests.Response | None, str]:
        """One attempt: the response, or None, and what is wrong unless the response is final."""
        try:
            response = self._session.post(
                url, data=body, timeout=_TIMEOUT, verify=self._destination.verify, allow_redirects=False, stream=True
            )
        except requests.exceptions.SSLError as fault:
            mend = "set OTEL_EXPORTER_OTLP_CERTIFICATE to its authority's, or --insecure"
            raise ReplayStopped(f"{self._destination.base} cannot be trusted: {mend} ({_reason(fault)})") from None
        except requests.exceptions.Timeout:
            return None, "does not answer"
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as fault:
            return None, f"does not answer ({_reason(fault)})"
        except (requests.exceptions.RequestException, OSError) as fault:
            raise ReplayStopped(f"{self._destination.base} cannot be asked ({_reason(fault)})") from None
        return response, f"answers {response.status_code}"


def _session(destination: Destination) -> requests.Session:
    session = requests.Session()
    session.headers.update(
        {
            "User-Agent": "ailoop-otel-replay",
            **destination.headers,
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
    )
    session.trust_env = not destination.is_loopback
    # Not None: requests would then read ~/.netrc and replace the Authorization header with what it finds there.
    session.auth = HTTPBasicAuth(*destination.user) if destination.user else lambda prepared: prepared
    session.cert = destination.certificate
    if destination.verify is False:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return session


def _answer(request: ExportRequest, response: requests.Response) -> Answer:
    code, content = response.status_code, _content(response)
    if 200 <= code < 300 and response.headers.get("Content-Type", "").startswith("text/html"):
        # Jaeger's UI, for example, answers any request with its page.
        return Answer(
            accepted=False, message="it answers with a web page: name its OTLP/HTTP address", unsupported=True
        )
    if 200 <= code < 300:
        partial = mapping(content.get("partialSuccess"))
        return Answer(
            accepted=True,
            rejected=max(0, integer(partial.get(request.signal.rejected)) or 0),
            message=_plain(partial.get("errorMessage")),
        )
    message = f"{code} {_plain(content.get('message'))}".rstrip()
    if code in _THIS_REQUEST:
        return Answer(accepted=False, message=message, divisible=code in _DIVISIBLE)
    mend = _MENDS.get(code, "it should be an OTLP/HTTP receiver")
    return Answer(accepted=False, message=f"{message}: {mend}", unsupported=True)


def _content(response: requests.Response) -> Json:
    """The JSON object of a response, or an empty one. Reads to the end, so that the connection can be reused."""
    try:
        with response:
            return mapping(json.loads(response.raw.read(_LONGEST_ANSWER, decode_content=True)))
    except (ValueError, RecursionError, HTTPError, OSError):
        return {}


def _requested_pause(retry: Retry, response: requests.Response | None) -> float:
    """The pause that the collector requests by `Retry-After`, in seconds; 0 if none."""
    if response is None:
        return 0.0
    _content(response)
    try:
        return retry.get_retry_after(response.raw) or 0.0
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
