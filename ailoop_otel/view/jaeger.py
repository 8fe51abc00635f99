"""Reads traces from a Jaeger's query API into a file, so that they are shown as recorded ones are."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ailoop_otel.recorded.otlp_json import TRACES, mapping
from ailoop_otel.settings import UsageError, environment
from ailoop_otel.view.units import SECOND, moment
from ailoop_otel.view.web import address, ask

_SERVICE: Final = "ailoop"
_MOST_TRACES: Final = 1_000
_USUAL: Final = 24 * 3600  # seconds that are asked for without `--since`


@contextmanager
def fetched(url: str, since: int, until: int) -> Iterator[Path]:
    """A directory with the newest traces of Jaeger's service OTEL_SERVICE_NAME, `ailoop` otherwise.

    `since` and `until` are nanoseconds since 1970, 0 for the last day until now. Raises UsageError if there is none.
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
