"""Lines as the embedded default writes them, small and distinguished by name."""

from __future__ import annotations

import json
from pathlib import Path

BEGIN = 1_763_820_000_000_000_000


def traces(name: str, spans: int = 1, service: str = "ailoop") -> bytes:
    """A line of spans, with its break."""
    made = [
        {
            "traceId": name.encode().hex()[:32].rjust(32, "0"),
            "spanId": f"{number + 1:016x}",
            "name": name,
            "kind": 2,
            "startTimeUnixNano": str(BEGIN + number * 1_000_000_000),
            "endTimeUnixNano": str(BEGIN + (number + 1) * 1_000_000_000),
            "status": {},
        }
        for number in range(spans)
    ]
    return _line("resourceSpans", "scopeSpans", "spans", made, service)


def logs(name: str) -> bytes:
    """A line with one log record."""
    return _line("resourceLogs", "scopeLogs", "logRecords", [{"timeUnixNano": "1", "eventName": name}], "ailoop")


def metrics(name: str) -> bytes:
    """A line with one metric."""
    return _line("resourceMetrics", "scopeMetrics", "metrics", [{"name": name, "gauge": {"dataPoints": []}}], "ailoop")


def recording(folder: Path, *names: str) -> Path:
    """A directory with one file of a line each."""
    folder.mkdir(exist_ok=True)
    (folder / "traces-20251122T140000Z-7-1.jsonl").write_bytes(b"".join(map(traces, names)))
    return folder


def names(bodies: list[bytes]) -> list[str]:
    """The name of the first record of each line, in order."""
    found = []
    for body in bodies:
        request = json.loads(body)
        (resources,) = request.values()
        (scoped,) = (value for key, value in resources[0].items() if key.startswith("scope"))
        (records,) = (value for key, value in scoped[0].items() if key != "scope")
        found.append(records[0].get("name") or records[0]["eventName"])
    return found


def _line(outer: str, middle: str, inner: str, records: list[dict[str, object]], service: str) -> bytes:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    scoped = {"scope": {"name": "ailoop_otel"}, inner: records}
    return json.dumps({outer: [{"resource": resource, middle: [scoped]}]}, separators=(",", ":")).encode() + b"\n"
