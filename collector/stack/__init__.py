"""Collector, Jaeger and Prometheus as processes on this machine: built, started, watched, stopped."""

from collector.stack.executables import COLLECTOR, MissingProgram, has_prometheus, jaeger, prometheus
from collector.stack.ports import Ports, free_ports, url
from collector.stack.stack import Program, Stack, StartError

__all__ = [
    "COLLECTOR",
    "MissingProgram",
    "Ports",
    "Program",
    "Stack",
    "StartError",
    "free_ports",
    "has_prometheus",
    "jaeger",
    "prometheus",
    "url",
]
