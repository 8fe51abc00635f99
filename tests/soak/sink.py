"""A collector that goes away and comes back on its port, and remembers of what it takes only what a soak asks for."""

from __future__ import annotations

import threading
from collections import Counter

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ailoop_otel import names
from tests.export.collector import Collector

ROOT = "sendUserMessage"
# Metrics that must come back to nothing, and those that tell of losses.
_METRICS = (
    names.METRIC_EXCHANGE_ACTIVE.name,
    names.METRIC_SESSION_ACTIVE.name,
    names.METRIC_CONNECTION_ACTIVE.name,
    names.METRIC_DROPPED.name,
    names.METRIC_INTERNAL_ERRORS.name,
    names.METRIC_KEPT.name,
    names.METRIC_SENT.name,
)


class Taken:
    """What has arrived so far: ids of messages' root spans, all spans by id, the newest values of some metrics."""

    def __init__(self) -> None:
        self.roots: set[bytes] = set()
        self.outcomes: Counter[str] = Counter()
        self.spans = 0
        self.repeated = 0
        self.metrics: dict[str, float] = {}
        self._seen: set[bytes] = set()
        self._lock = threading.Lock()

    def traces(self, request: ExportTraceServiceRequest) -> None:
        """Take spans."""
        with self._lock:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self.repeated += span.span_id in self._seen
                        self.spans += span.span_id not in self._seen
                        if span.name == ROOT and span.span_id not in self._seen:
                            self.roots.add(span.span_id)
                            found = (each.value for each in span.attributes if each.key == names.OUTCOME)
                            self.outcomes.update(value.string_value for value in found)
                        self._seen.add(span.span_id)

    def measured(self, request: ExportMetricsServiceRequest) -> None:
        """Take metrics."""
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name in _METRICS:
                        points = metric.sum.data_points or metric.gauge.data_points
                        self.metrics[metric.name] = sum(point.as_int or point.as_double for point in points)


class Sink(Collector):
    """A collector that keeps no request; `taken` outlives it."""

    def __init__(self, taken: Taken, port: int = 0) -> None:
        self.taken = taken
        super().__init__(port)

    def answer(self, path: str, body: bytes) -> int:
        """Take a request, or not, as the mode has it."""
        if self.mode != "ok":
            return int(self.mode)
        if path == "/v1/traces":
            self.taken.traces(ExportTraceServiceRequest.FromString(body))
        elif path == "/v1/metrics":
            self.taken.measured(ExportMetricsServiceRequest.FromString(body))
        return 200
