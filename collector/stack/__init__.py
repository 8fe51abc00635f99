"""Collector, Jaeger and Prometheus as processes on this machine: built, started, watched, stopped."""

from collector.stack.executables import COLLECTOR, MissingProgram, cache, contrib, has_prometheus, jaeger, prometheus
from collector.stack.ports import HOST, Ports, free, free_ports, url
from collector.stack.stack import Program, Stack, StartError

__all__ = [
    "COLLECTOR",
    "HOST",
    "MissingProgram",
    "Ports",
    "Program",
    "Stack",
    "StartError",
    "cache",
    "contrib",
    "free",
    "free_ports",
    "has_prometheus",
    "jaeger",
    "prometheus",
    "url",
]
