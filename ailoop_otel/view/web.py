"""Asks the query APIs of Jaeger and Prometheus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import requests

from ailoop_otel.settings import UsageError, without_secrets

_PATIENCE: Final = 30.0  # seconds
_LARGEST: Final = 512 * 1024 * 1024  # bytes
_BLOCK: Final = 1024 * 1024


def address(url: str, option: str) -> str:
    """The address that an option names, without the slash at its end; raises UsageError if it is none."""
    base = url.strip().rstrip("/")
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{option} {without_secrets(url)!r} is no address: write http://host:port")
    return base


def ask(url: str, parameters: Mapping[str, str]) -> object:
    """The JSON document that an address answers with, None for an answer of 404.

    Raises UsageError if there is no answer, or another than JSON.
    """
    shown = without_secrets(url)
    try:
        with requests.get(url, params=dict(parameters), timeout=_PATIENCE, stream=True) as answer:
            if answer.status_code == requests.codes.not_found:
                return None
            content = bytearray()
            for block in answer.iter_content(_BLOCK):
                content += block
                if len(content) > _LARGEST:
                    raise UsageError(f"{shown} answers with more than {_LARGEST:,} bytes: ask for less with --since")
            status = answer.status_code
    except (requests.RequestException, UnicodeError) as fault:
        raise UsageError(f"{shown} does not answer: {type(fault).__name__}") from None
    if status != requests.codes.ok:
        raise UsageError(f"{shown} answers with the HTTP status {status}: is that the query API's address?")
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError):
        raise UsageError(f"{shown} answers with something else than JSON: is that the query API's address?") from None
    return document
