"""The telemetry folder of a server process, read while it writes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ERROR = 2
SERVER = 2


@dataclass(frozen=True)
class Span:
    """One span as exported; times in seconds since the epoch."""

    name: str
    trace: str
    id: str
    parent: str
    start: float
    end: float
    error: bool
    attributes: dict[str, Any]
    links: tuple[str, ...]
    kind: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start


class Folder:
    """What a server has exported so far; of spans and events those that began `since`, seconds since the epoch."""

    def __init__(self, path: Path, since: float = 0.0) -> None:
        self.path = path
        self._since = since

    def text(self) -> str:
        """All of it."""
        return "".join(file.read_text(encoding="utf-8") for file in sorted(self.path.rglob("*.jsonl")))

    def spans(self, name: str | None = None) -> list[Span]:
        """The spans so far, oldest first."""
        spans = [_span(raw) for raw in self._records("traces", "resourceSpans", "scopeSpans", "spans")]
        wanted = (span for span in spans if span.start >= self._since and name in (None, span.name))
        return sorted(wanted, key=lambda span: span.start)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The attributes of the log events of a name."""
        records = self._records("logs", "resourceLogs", "scopeLogs", "logRecords")
        return [
            _attributes(record)
            for record in records
            if record.get("eventName") == name and int(record["timeUnixNano"]) / 1e9 >= self._since
        ]

    def resources(self, signal: str) -> dict[str, set[Any]]:
        """What a signal's resources say of the process and its machine."""
        field = {"traces": "resourceSpans", "metrics": "resourceMetrics", "logs": "resourceLogs"}[signal]
        resources = [_attributes(found["resource"]) for found in self._records(signal, field)]
        return {name: {each[name] for each in resources} for name in ("process.pid", "host.name")}

    def metrics(self) -> list[str]:
        """The names of all metrics so far."""
        return sorted({m["name"] for m in self._records("metrics", "resourceMetrics", "scopeMetrics", "metrics")})

    def points(self, name: str) -> list[dict[str, Any]]:
        """The newest data points of a metric, one for each set of labels, with `labels` beside OTLP's fields."""
        newest: dict[str, dict[str, Any]] = {}
        for metric in self._records("metrics", "resourceMetrics", "scopeMetrics", "metrics"):
            if metric["name"] != name:
                continue
            (data,) = (metric[kind] for kind in ("sum", "gauge", "histogram", "exponentialHistogram") if kind in metric)
            for point in data["dataPoints"]:
                labels = _attributes(point)
                newest[json.dumps(labels, sort_keys=True)] = {**point, "labels": labels}
        return list(newest.values())

    def wait(self, condition: Callable[[Folder], Any], timeout: float = 60.0) -> Any:
        """Look again and again until a condition holds; returns what it returned."""
        deadline = time.monotonic() + timeout
        while not (found := condition(self)):
            if time.monotonic() > deadline:
                names = [span.name for span in self.spans()]
                raise AssertionError(f"not in the telemetry within {timeout:g} s; there are {names}")
            time.sleep(0.01)
        return found

    def exchanges(self, count: int, timeout: float = 60.0) -> list[Span]:
        """So many messages' root spans, waited for."""
        found: list[Span] = self.wait(lambda folder: _at_least(folder.spans("sendUserMessage"), count), timeout)
        return found

    def _records(self, signal: str, *path: str) -> Iterator[dict[str, Any]]:
        for file in sorted(self.path.glob(f"{signal}-*.jsonl")):
            for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n"):
                    yield from _down([json.loads(line)], path)


def _down(nodes: list[Any], path: tuple[str, ...]) -> list[Any]:
    for key in path:
        nodes = [child for node in nodes for child in node.get(key, ())]
    return nodes


def _at_least(spans: list[Span], count: int) -> list[Span]:
    return spans if len(spans) >= count else []


def _attributes(record: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: _value(each["value"]) for each in record.get("attributes", ())}


def _value(value: dict[str, Any]) -> Any:
    ((kind, plain),) = value.items()
    return int(plain) if kind == "intValue" else plain


def _span(raw: dict[str, Any]) -> Span:
    return Span(
        raw["name"],
        raw["traceId"],
        raw["spanId"],
        raw.get("parentSpanId", ""),
        int(raw["startTimeUnixNano"]) / 1e9,
        int(raw["endTimeUnixNano"]) / 1e9,
        raw.get("status", {}).get("code") == ERROR,
        _attributes(raw),
        tuple(link["spanId"] for link in raw.get("links", ())),
        raw["kind"],
    )
