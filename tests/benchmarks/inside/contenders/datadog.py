"""Datadog's ASGI instrumentation as it comes; its agent is a socket that takes everything."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.benchmarks.inside.contender import App, Contender, Taken


class _Agent(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET = do_PUT

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class Datadog(Contender):
    """Spans are counted where the tracer hands them to its writer."""

    def __init__(self) -> None:
        agent = ThreadingHTTPServer(("127.0.0.1", 0), _Agent)
        threading.Thread(target=agent.serve_forever, daemon=True).start()
        os.environ["DD_TRACE_AGENT_URL"] = f"http://127.0.0.1:{agent.server_address[1]}"
        os.environ.update({"DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false"})
        from ddtrace.contrib.asgi import TraceMiddleware
        from ddtrace.trace import TraceFilter, tracer

        taken = self._taken = [Taken()]

        class Counting(TraceFilter):
            def process_trace(self, trace: Any) -> Any:
                taken[0].spans.update(span.name for span in trace)
                return trace

        tracer.configure(trace_processors=[Counting()])
        self._tracer = tracer
        self._middleware: Any = TraceMiddleware

    def around(self, application: App) -> App:
        """With its middleware."""
        served: App = self._middleware(application)
        return served

    def spans(self) -> None:
        """To the agent."""
        self._tracer.flush()

    def take(self) -> Taken:
        """What the filter saw."""
        taken, self._taken[0] = self._taken[0], Taken()
        return taken


def start(variant: str) -> Contender:
    """The tracer."""
    return Datadog()
