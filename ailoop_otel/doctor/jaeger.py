"""Asks Jaeger's query API whether a trace has come."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

DEFAULT: Final = "http://127.0.0.1:16686"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_PATHS: Final = ("api/traces", "api/v3/traces")
_PAUSE: Final = 0.2  # seconds
_ONE_TRY: Final = 2.0  # seconds


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    return urlsplit(url if "//" in url else f"//{url}").hostname in _LOOPBACK


def answers(url: str) -> bool:
    """Whether a query API is there."""
    try:
        _get(url, "api/services", _ONE_TRY)
    except (OSError, ValueError):
        return False
    return True


def has(url: str, trace_id: str, patience: float) -> bool:
    """Whether a trace comes within `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        if any(_finds(url, f"{path}/{trace_id}", deadline) for path in _PATHS):
            return True
        if time.monotonic() + _PAUSE >= deadline:
            return False
        time.sleep(_PAUSE)


def _finds(url: str, path: str, deadline: float) -> bool:
    try:
        answer = _get(url, path, max(0.1, min(_ONE_TRY, deadline - time.monotonic())))
    except (OSError, ValueError):
        return False  # 404 until it has come
    return isinstance(answer, dict) and bool(answer.get("data") or answer.get("result") or answer.get("resourceSpans"))


def _get(url: str, path: str, timeout: float) -> object:
    """One answer; raises OSError where there is none, ValueError where it is no JSON."""
    try:
        with _opener(url).open(_request(url, path), timeout=timeout) as response:
            return json.loads(response.read())
    except HTTPError as fault:
        with fault:
            raise OSError(fault.code) from None
    except (URLError, HTTPException) as fault:
        raise OSError(type(fault).__name__) from None


def _request(url: str, path: str) -> Request:
    """A question, with the user and password that stand in the address."""
    parts = urlsplit(url)
    address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], f"{parts.path.rstrip('/')}/{path}", "", ""))
    request = Request(address)
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {b64encode(pair.encode()).decode()}")
    return request


def _opener(url: str) -> OpenerDirector:
    # A proxy does not know what this machine's own address means here.
    return build_opener(ProxyHandler({})) if is_loopback(url) else build_opener()
