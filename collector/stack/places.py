"""Where each program of the stack listens: all on loopback."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, fields
from itertools import islice
from typing import Final

HOST = "127.0.0.1"
_LOWEST: Final = 20_000
_HIGHEST: Final = 32_000


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
    """Ports that nobody listens on now, so that several stacks can run side by side.

    They lie below those that systems give to outgoing connections, one of which might take a port before its program
    does; and where they are looked for depends on the process, so that two that look at once find others.
    """
    wanted = len(fields(Places))
    begin = os.getpid() * wanted
    some = (_LOWEST + (begin + step) % (_HIGHEST - _LOWEST) for step in range(_HIGHEST - _LOWEST))
    return Places(*islice(filter(_free, some), wanted))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
