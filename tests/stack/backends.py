"""What Jaeger and Prometheus answer, asked over their own query APIs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import requests

from collector.stack import url

T = TypeVar("T")


def eventually(ask: Callable[[], T], right: Callable[[T], bool] = bool, timeout: float = 30.0) -> T:
    """Ask until the answer is right, and return it; AssertionError with the last answer if it never is."""
    deadline = time.monotonic() + timeout
    while not right(answer := ask()):
        assert time.monotonic() < deadline, f"after {timeout} s still {str(answer)[:2000]}"
        time.sleep(0.25)
    return answer


@dataclass(frozen=True)
class Span:
    """One span as Jaeger gives it back; times in microseconds."""

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    service: str
    start: int
    duration: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    links: tuple[tuple[str, str], ...]
    error: bool
    warnings: tuple[str, ...]


class Jaeger:
    """Jaeger's query API."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str, **parameters: object) -> Any:
        """The data of an answer; raises for anything but 200."""
        answer = requests.get(f"{self.address}{path}", params={k: str(v) for k, v in parameters.items()}, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def services(self) -> list[str]:
        """The names of all services."""
        return self.get("/api/services")["data"] or []

    def search(
        self, service: str, *, limit: int = 100, tags: Mapping[str, str] | None = None, **more: object
    ) -> list[list[Span]]:
        """The traces of a service that match, each a list of its spans."""
        if tags:
            more["tags"] = json.dumps(tags)
        found = self.get("/api/traces", service=service, limit=limit, **more)["data"]
        return [list(_spans(trace)) for trace in found]

    def trace(self, trace: str) -> list[Span]:
        """The spans of one trace; empty when there is none."""
        answer = requests.get(f"{self.address}/api/traces/{trace}", timeout=30)
        return [] if answer.status_code == 404 else [s for each in answer.json()["data"] for s in _spans(each)]


def _spans(trace: Mapping[str, Any]) -> Iterator[Span]:
    for span in trace["spans"]:
        tags = {tag["key"]: tag["value"] for tag in span["tags"]}
        process = trace["processes"][span["processID"]]
        parents = [r["spanID"] for r in span["references"] if r["refType"] == "CHILD_OF"]
        yield Span(
            trace=span["traceID"],
            id=span["spanID"],
            parent=parents[0] if parents else "",
            name=span["operationName"],
            kind=str(tags.get("span.kind", "")),
            service=process["serviceName"],
            start=span["startTime"],
            duration=span["duration"],
            attributes=tags,
            resource={tag["key"]: tag["value"] for tag in process["tags"]},
            links=tuple((r["traceID"], r["spanID"]) for r in span["references"] if r["refType"] != "CHILD_OF"),
            error=tags.get("error") is True,
            warnings=tuple(span.get("warnings") or ()),
        )


class Prometheus:
    """Prometheus' query API."""

    def __init__(self, port: int) -> None:
        self.address = url(port)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The labels and value of each series that an expression gives now."""
        answer = requests.get(f"{self.address}/api/v1/query", params={"query": expression}, timeout=30).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def value(self, expression: str) -> float | None:
        """The sum of all series of an expression; None when there is none."""
        found = self.query(expression)
        return sum(value for _, value in found) if found else None

    def get(self, path: str, **parameters: str) -> Any:
        """The data of any other answer."""
        answer = requests.get(f"{self.address}/api/v1/{path}", params=parameters, timeout=30).json()
        assert answer["status"] == "success", f"{path}: {answer.get('error')}"
        return answer["data"]
