"""A collector that is spoken to by gRPC."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


class RpcCollector:
    """Keeps what it took, by the path that it would have come to over HTTP."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = {}
        self._server = grpc.server(ThreadPoolExecutor(3))
        for add, path, answer in (
            (trace_service_pb2_grpc.add_TraceServiceServicer_to_server, "/v1/traces",
             trace_service_pb2.ExportTraceServiceResponse()),
            (metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server, "/v1/metrics",
             metrics_service_pb2.ExportMetricsServiceResponse()),
            (logs_service_pb2_grpc.add_LogsServiceServicer_to_server, "/v1/logs",
             logs_service_pb2.ExportLogsServiceResponse()),
        ):  # fmt: skip
            add(_Servicer(self.bodies.setdefault(path, []), answer), self._server)
        self.url = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.stop(0).wait(5)


class _Servicer:
    def __init__(self, bodies: list[bytes], answer: Any) -> None:
        self._bodies = bodies
        self._answer = answer

    def Export(self, request: Any, context: object) -> Any:
        """Take a request."""
        self._bodies.append(request.SerializeToString())
        return self._answer
