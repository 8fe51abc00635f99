"""Where each program of the stack listens: all on loopback."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass, fields

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Places:
    """The ports of one stack; the defaults are those of the configurations."""

    otlp_grpc: int = 4317
    otlp_http: int = 4318
    collector_health: int = 13133
    collector_metrics: int = 8889
    collector_telemetry: int = 8888
    jaeger_otlp: int = 14317
    jaeger_query: int = 16686
    jaeger_query_grpc: int = 16685
    jaeger_health: int = 13134
    jaeger_telemetry: int = 8887
    prometheus: int = 9090

    @property
    def otlp(self) -> str:
        """Where servers send to, as OTEL_EXPORTER_OTLP_ENDPOINT."""
        return url(self.otlp_http)

    @property
    def jaeger(self) -> str:
        """Jaeger's query API and, in builds that have one, its UI."""
        return url(self.jaeger_query)

    def variables(self) -> dict[str, str]:
        """The environment that makes the configurations use these ports."""
        return {
            "COLLECTOR_OTLP_GRPC": f"{HOST}:{self.otlp_grpc}",
            "COLLECTOR_OTLP_HTTP": f"{HOST}:{self.otlp_http}",
            "COLLECTOR_HEALTH": f"{HOST}:{self.collector_health}",
            "COLLECTOR_METRICS": f"{HOST}:{self.collector_metrics}",
            "COLLECTOR_TELEMETRY_PORT": str(self.collector_telemetry),
            "JAEGER_OTLP_GRPC": f"{HOST}:{self.jaeger_otlp}",
            "JAEGER_QUERY_HTTP": f"{HOST}:{self.jaeger_query}",
            "JAEGER_QUERY_GRPC": f"{HOST}:{self.jaeger_query_grpc}",
            "JAEGER_HEALTH": f"{HOST}:{self.jaeger_health}",
            "JAEGER_TELEMETRY_PORT": str(self.jaeger_telemetry),
            "PROMETHEUS_URL": url(self.prometheus),
        }


def url(port: int) -> str:
    """The address of a port on loopback."""
    return f"http://{HOST}:{port}"


def default_places() -> Places:
    """The ports that everybody expects."""
    return Places()


def free_places() -> Places:
    """Ports that nobody listens on now, so that several stacks can run side by side."""
    with ExitStack() as open_sockets:
        ports = []
        for _ in fields(Places):
            probe = open_sockets.enter_context(socket.socket())
            probe.bind((HOST, 0))
            ports.append(probe.getsockname()[1])
    return Places(*ports)
