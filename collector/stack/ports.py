"""The ports on which the programs of the stack listen, all on loopback."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, fields
from itertools import islice
from typing import Final

import psutil

HOST = "127.0.0.1"
_LOWEST: Final = 20_000
_HIGHEST: Final = 32_000


@dataclass(frozen=True)
class Ports:
    """The ports of one stack; the defaults are those of the configurations.

    The variable that moves one is its name in capitals with `_PORT` behind it, such as `PROMETHEUS_PORT`.
    """

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

    @classmethod
    def from_environment(cls) -> Ports:
        """The ports that the environment names, else the usual ones; raises ValueError for what is no number."""
        named = {field.name: os.environ.get(variable(field.name), "") for field in fields(cls)}
        wrong = next((name for name, text in named.items() if text and not text.isdecimal()), None)
        if wrong is not None:
            raise ValueError(f"{variable(wrong)}={named[wrong]!r} is no port")
        return cls(**{name: int(text) for name, text in named.items() if text})

    @property
    def otlp(self) -> str:
        """The collector's address for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return url(self.otlp_http)

    @property
    def jaeger(self) -> str:
        """The address of Jaeger's query API and, in builds that have one, its UI."""
        return url(self.jaeger_query)

    def variables(self) -> dict[str, str]:
        """The environment variables by which the configurations use these ports."""
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


def variable(name: str) -> str:
    """The environment variable that moves a port."""
    return f"{name.upper()}_PORT"


def owner(port: int) -> str:
    """Who listens at a port: a program's name and process id, as far as they may be known; "" if nobody does."""
    if _is_free(port):
        return ""
    try:
        listening = [c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port]
        pid = next(pid for pid in listening if pid is not None)
        return f"{psutil.Process(pid).name()} (process {pid})"
    except (psutil.Error, OSError, StopIteration):
        return "another user's program"


def url(port: int) -> str:
    """The address of a port on loopback."""
    return f"http://{HOST}:{port}"


def free_ports() -> Ports:
    """Ports that are free now, so that several stacks can run side by side."""
    return Ports(*free(len(fields(Ports))))


def free(wanted: int) -> list[int]:
    """So many ports that are free now.

    They lie below the range for outgoing connections, as one of those could take a port before its program does. The
    search starts at a number that depends on the process id, so that two processes find different ports.
    """
    begin = os.getpid() * wanted
    candidates = (_LOWEST + (begin + step) % (_HIGHEST - _LOWEST) for step in range(_HIGHEST - _LOWEST))
    return list(islice(filter(_is_free, candidates), wanted))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port whose latest connections are still being forgotten is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
