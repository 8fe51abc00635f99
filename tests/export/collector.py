"""A collector: a real HTTP server that takes telemetry, answers 503, or does not answer at all."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """Keeps what it took, by path, and the names of the spans; `mode` is ok, 503 or hang."""

    def __init__(self, port: int = 0) -> None:
        self.mode = "ok"
        self.paths: list[str] = []
        self.bodies: dict[str, list[bytes]] = {}
        self.spans: list[str] = []
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.collector = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What `OTEL_EXPORTER_OTLP_ENDPOINT` is to be."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, body: bytes) -> int:
        """Take a request, and return the status of the answer."""
        self.paths.append(path)
        if self.mode == "hang":
            self._released.wait(60)
        if self.mode != "ok":
            return 503
        self.bodies.setdefault(path, []).append(body)
        if path == "/v1/traces":
            request = ExportTraceServiceRequest.FromString(body)
            self.spans += [
                span.name
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]
        return 200

    def release(self) -> None:
        """Answer those who hang."""
        self._released.set()

    def close(self) -> None:
        """Stop serving."""
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    collector: Collector

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing about clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Answer an export."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.collector.answer(self.path, body))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""
