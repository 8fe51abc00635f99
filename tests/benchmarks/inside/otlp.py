"""OTLP over HTTP as far as the socket: all is encoded, nothing is sent, and what was encoded is read again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from tests.benchmarks.inside.contender import Taken

QUEUE = {"OTEL_BSP_MAX_QUEUE_SIZE": "100000", "OTEL_METRIC_EXPORT_INTERVAL": "3600000"}


class Bodies:
    """Takes the place of the network in this process, and keeps the bodies of the requests."""

    def __init__(self) -> None:
        self._bodies: list[tuple[str, bytes]] = []

        def send(_: Any, request: PreparedRequest, **others: Any) -> Response:
            body = request.body or b""
            assert isinstance(body, bytes)
            self._bodies.append((request.url or "", body))
            accepted = Response()
            accepted.status_code = 200
            accepted.raw = HTTPResponse(b"", status=200, preload_content=False)
            return accepted

        # All of them send by way of `requests`.
        HTTPAdapter.send = send  # type: ignore[method-assign]

    def drop(self) -> None:
        """Let them go unread."""
        self._bodies = []

    def take(self) -> Taken:
        """What they held since the last time."""
        taken = Taken()
        bodies, self._bodies = self._bodies, []
        for url, body in bodies:
            if url.endswith("traces"):
                for span in _spans(body):
                    taken.spans[span.name] += 1
                    taken.shapes.add(_shape(span))
            elif url.endswith("metrics"):
                taken.points.update(_points(body))
        return taken


def _spans(body: bytes) -> Iterator[Any]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _shape(span: Any) -> tuple[str, ...]:
    attributes = sorted(attribute.key for attribute in span.attributes)
    return (span.name, f"{len(span.links)} links", f"{len(span.events)} events", *attributes)


def _points(body: bytes) -> Counter[str]:
    points: Counter[str] = Counter()
    for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                data = getattr(metric, metric.WhichOneof("data"))
                points[metric.name] += sum(getattr(point, "count", 1) for point in data.data_points)
    return points
