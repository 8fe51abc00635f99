"""Asks the query APIs of Jaeger and Prometheus."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import requests

from ailoop_otel.recorded.otlp_json import TRACES, mapping
from ailoop_otel.settings import UsageError, environment, is_address, is_loopback, without_secrets
from ailoop_otel.units import SECOND, moment

_SERVICE: Final = "ailoop"
_MOST_TRACES: Final = 1_000
_USUAL: Final = 24 * 3600  # seconds that are asked for without `--since`
_PATIENCE: Final = 30.0  # seconds
_LARGEST: Final = 512 * 1024 * 1024  # bytes
_BLOCK: Final = 1024 * 1024


def address(url: str, option: str) -> str:
    """The address that an option names, without the slash at its end; raises UsageError if it is none."""
    base = url.strip().rstrip("/")
    if not is_address(base):
        raise UsageError(f"{option} {without_secrets(url)!r} is no address: write http://host:port")
    return base


def ask(url: str, parameters: Mapping[str, str], timeout: float = _PATIENCE) -> object:
    """The JSON document that an address answers with, None for an answer of 404.

    Raises UsageError if there is no answer within `timeout` seconds, or another than JSON.
    """
    shown = without_secrets(url)
    try:
        with requests.Session() as session:
            session.trust_env = not is_loopback(url)
            content = bytearray()
            with session.get(url, params=dict(parameters), timeout=timeout, stream=True) as answer:
                for block in answer.iter_content(_BLOCK):
                    content += block
                    if len(content) > _LARGEST:
                        raise UsageError(
                            f"{shown} answers with more than {_LARGEST:,} bytes: ask for less with --since"
                        )
    except (requests.RequestException, UnicodeError) as fault:
        raise UsageError(f"{shown} does not answer: {type(fault).__name__}") from None
    if answer.status_code == requests.codes.not_found:
        return None
    if answer.status_code != requests.codes.ok:
        raise UsageError(f"{shown} answers with the HTTP status {answer.status_code}: is that the query API's address?")
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError):
        raise UsageError(f"{shown} answers with something else than JSON: is that the query API's address?") from None
    return document


@contextmanager
def fetched(url: str, since: int, until: int) -> Iterator[Path]:
    """A directory with the newest traces of Jaeger's service OTEL_SERVICE_NAME, `ailoop` otherwise.

    They are shown as recorded ones are. `since` and `until` are nanoseconds since 1970, 0 for the last day until now.
    Raises UsageError if there is none.
    https://www.jaegertracing.io/docs/latest/architecture/apis/#query-json-over-http
    """
    base = address(url, "--jaeger")
    service = environment("OTEL_SERVICE_NAME") or _SERVICE
    end = until or time.time_ns()
    parameters = {
        "query.service_name": service,
        "query.start_time_min": _moment(since or end - _USUAL * SECOND),
        "query.start_time_max": _moment(end),
        # The name before and since Jaeger's second generation.
        **dict.fromkeys(("query.num_traces", "query.search_depth"), str(_MOST_TRACES)),
    }
    document = mapping(mapping(ask(f"{base}/api/v3/traces", parameters)).get("result"))
    if TRACES.members[0] not in document:
        raise UsageError(f"{base} has no trace of the service {service} then: widen --since, or set OTEL_SERVICE_NAME")
    with TemporaryDirectory(prefix="ailoop-otel-") as folder:
        (Path(folder) / "jaeger.jsonl").write_text(json.dumps(document) + "\n", encoding="utf-8")
        yield Path(folder)


def _moment(nanoseconds: int) -> str:
    return moment(nanoseconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
