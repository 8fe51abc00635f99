"""One line to a collector: sent, tried again while it is worth it, and what came of it."""

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

from ailoop_otel.recorded.values import Json, integer, mapping, text
from ailoop_otel.replay.destination import Destination
from ailoop_otel.replay.lines import Document
from ailoop_otel.replay.refusal import Halt

# The answers after which OTLP has a client try again.
_AGAIN: Final = (429, 502, 503, 504)
# The fault is in this one line, or at least the next may fare better.
_THIS_LINE: Final = (400, 413, 422, 500)
# Nothing of the line was taken: it is too large, or one record in it spoils the others.
_NOTHING_OF_IT: Final = (400, 413)
_MENDS: Final = {
    401: "set OTEL_EXPORTER_OTLP_HEADERS to what it asks for",
    403: "set OTEL_EXPORTER_OTLP_HEADERS to what it asks for",
    404: "it has no OTLP/HTTP receiver for them there",
    415: "it takes no OTLP as JSON",
}
_TIMEOUT: Final = (5.0, 30.0)  # seconds to connect, and to be answered
_LONGEST_PAUSE: Final = 10.0  # seconds, unless the collector asks for more
_LONGEST_ANSWER: Final = 64 * 1024
_LONGEST_TOLD: Final = 200
_FASTEST: Final = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a collector said to one line: taken but for `rejected` records, or not; `told` is its message.

    `hopeless` says that no other line of the signal would fare better, `divisible` that a part of this one may.
    """

    taken: bool
    rejected: int = 0
    told: str = ""
    hopeless: bool = False
    divisible: bool = False


class Delivery:
    """A connection to a collector that is kept open; `patience` is how long one line is tried, in seconds.

    `waits` is called before each pause with the reason and its length in seconds.
    """

    def __init__(
        self,
        destination: Destination,
        patience: float,
        waits: Callable[[str, float], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._destination = destination
        self._patience = patience
        self._waits = waits
        self._clock = clock
        self._sleep = sleep
        self._session = _session(destination)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def send(self, document: Document) -> Answer:
        """Send one line; raises Halt when patience ends before the collector has answered."""
        body = gzip.compress(document.content, _FASTEST)
        url = self._destination.url(document.signal)
        begin = self._clock()
        retry = Retry(total=None, allowed_methods=None, backoff_factor=0.25)
        while True:
            response, trouble = self._post(url, body)
            if response is not None and response.status_code not in _AGAIN:
                return _answer(document, response)
            retry = retry.increment("POST", url, error=HTTPError(trouble))
            pause = _asked(retry, response) or min(retry.get_backoff_time(), _LONGEST_PAUSE)
            if self._clock() - begin + pause > self._patience:
                asks = f" and asks to be left alone for {pause:.0f} s" if pause > _LONGEST_PAUSE else ""
                raise Halt(f"{self._destination.base} {trouble}{asks}")
            self._waits(f"{self._destination.base} {trouble}", pause)
            self._sleep(pause)

    def _post(self, url: str, body: bytes) -> tuple[requests.Response | None, str]:
        """One try: the answer, and what is wrong where there is none that ends it."""
        try:
            response = self._session.post(
                url, data=body, timeout=_TIMEOUT, verify=self._destination.verify, allow_redirects=False, stream=True
            )
        except requests.exceptions.SSLError as fault:
            mend = "set OTEL_EXPORTER_OTLP_CERTIFICATE to its authority's, or --insecure"
            raise Halt(f"{self._destination.base} cannot be trusted: {mend} ({_reason(fault)})") from None
        except requests.exceptions.Timeout:
            return None, "does not answer"
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as fault:
            return None, f"does not answer ({_reason(fault)})"
        except (requests.exceptions.RequestException, OSError) as fault:
            raise Halt(f"{self._destination.base} cannot be asked ({_reason(fault)})") from None
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
    session.trust_env = not destination.is_near
    # Anything but None, or else requests looks for a password in ~/.netrc and puts it over the header that is set.
    session.auth = HTTPBasicAuth(*destination.user) if destination.user else lambda request: request
    session.cert = destination.certificate
    if destination.verify is False:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return session


def _answer(document: Document, response: requests.Response) -> Answer:
    code, content = response.status_code, _content(response)
    if 200 <= code < 300 and response.headers.get("Content-Type", "").startswith("text/html"):
        # Jaeger's own pages, for one, answer so to whatever they are asked.
        return Answer(taken=False, told="it answers with a web page: name its OTLP/HTTP address", hopeless=True)
    if 200 <= code < 300:
        partial = mapping(content.get("partialSuccess"))
        return Answer(
            taken=True,
            rejected=max(0, integer(partial.get(document.signal.rejected)) or 0),
            told=_plain(partial.get("errorMessage")),
        )
    message = _plain(content.get("message"))
    told = f"{code} {message}".rstrip()
    if code in _THIS_LINE:
        return Answer(taken=False, told=told, divisible=code in _NOTHING_OF_IT)
    mend = _MENDS.get(code, "it should be an OTLP/HTTP receiver")
    return Answer(taken=False, told=f"{told}: {mend}", hopeless=True)


def _content(response: requests.Response) -> Json:
    """The answer's JSON object; empty where it is none. Read to its end, or the connection could not be kept."""
    try:
        with response:
            return mapping(json.loads(response.raw.read(_LONGEST_ANSWER, decode_content=True)))
    except (ValueError, RecursionError, HTTPError, OSError):
        return {}


def _asked(retry: Retry, response: requests.Response | None) -> float:
    """How long the collector asks to be left alone, in seconds."""
    if response is None:
        return 0.0
    _content(response)
    try:
        return retry.get_retry_after(response.raw) or 0.0
    except InvalidHeader:
        return 0.0


def _reason(fault: BaseException) -> str:
    """The innermost reason that an exception of requests wraps, without addresses of objects."""
    while True:
        inner = getattr(fault, "reason", None) or next((arg for arg in fault.args if isinstance(arg, Exception)), None)
        if not isinstance(inner, BaseException):
            break
        fault = inner
    cause = fault.__cause__ or fault.__context__
    told = fault if isinstance(fault, OSError) or not isinstance(cause, OSError) else cause
    return _plain(getattr(told, "strerror", None)) or type(told).__name__


def _plain(content: object) -> str:
    """A text that somebody else wrote, short and without what would disturb a terminal."""
    return text(content)[:_LONGEST_TOLD].strip()
