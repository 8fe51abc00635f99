"""Collector, Jaeger and Prometheus as processes on this machine: built, started, looked after, stopped."""

from collector.stack.places import Places, default_places, free_places
from collector.stack.programs import Missing, has_prometheus, jaeger, prometheus
from collector.stack.running import Stack, Trouble

__all__ = [
    "Missing",
    "Places",
    "Stack",
    "Trouble",
    "default_places",
    "free_places",
    "has_prometheus",
    "jaeger",
    "prometheus",
]
