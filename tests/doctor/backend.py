"""A collector and a Jaeger as small HTTP servers, in good health or not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Backend(ThreadingHTTPServer):
    """Takes spans at `/v1/traces` with `status`, and finds them after `delay` questions, or never."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.kind = "application/x-protobuf"
        self.response = b""
        self.hangs = False
        self.finds = True
        self.delay = 0
        self.services: list[str] = []
        self.traces: dict[str, int] = {}
        self.authorizations: list[str | None] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def take(self, body: bytes) -> None:
        """Remember what came."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services += [each.value.string_value for each in resource.resource.attributes]
            for scope in resource.scope_spans:
                self.traces.update({span.trace_id.hex(): self.delay for span in scope.spans})

    def found(self, trace_id: str) -> bool:
        """Whether a trace has been indexed by now."""
        if not self.finds or trace_id not in self.traces:
            return False
        self.traces[trace_id] -= 1
        return self.traces[trace_id] < 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing for clients that disconnected."""


class _Handler(BaseHTTPRequestHandler):
    server: Backend

    def do_POST(self) -> None:
        """Take telemetry."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.authorizations.append(self.headers["Authorization"])
        if self.server.hangs:
            self.server.released.wait(120)
        if self.server.status == 200:
            self.server.take(body)
        self._answer(self.server.status, self.server.response)

    def do_GET(self) -> None:
        """Answer Jaeger's query API."""
        self.server.authorizations.append(self.headers["Authorization"])
        if self.path == "/api/services":
            self._answer(200, json.dumps({"data": self.server.services}).encode())
        elif self.path.startswith("/api/traces/") and self.server.found(self.path.rpartition("/")[2]):
            self._answer(200, json.dumps({"data": [{}]}).encode())
        else:
            self._answer(404, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", self.server.kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""


@contextmanager
def running() -> Iterator[Backend]:
    """One that serves."""
    with Backend() as backend:
        thread = threading.Thread(target=backend.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield backend
        backend.released.set()
        backend.shutdown()
        thread.join(60)


@contextmanager
def taciturn(answer: bytes = b"") -> Iterator[int]:
    """A port that accepts connections, sends these bytes, and closes them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ends = threading.Event()

        def serve() -> None:
            listener.settimeout(0.05)
            while not ends.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    continue
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        ends.set()
        thread.join()
