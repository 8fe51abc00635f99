"""Python's garbage collector, by generation (an int, as the semantic conventions say)."""

from __future__ import annotations

import gc

from opentelemetry.metrics import Observation

from ailoop_otel import names

_GENERATION = names.METRIC_GC_COLLECTIONS.labels[0]


def observe_collections() -> list[Observation]:
    """Garbage collections since the process began."""
    return _observe("collections")


def observe_collected() -> list[Observation]:
    """Objects that garbage collections freed since the process began."""
    return _observe("collected")


def observe_uncollectable() -> list[Observation]:
    """Objects that garbage collections found and could not free since the process began."""
    return _observe("uncollectable")


def _observe(field: str) -> list[Observation]:
    return [Observation(generation[field], {_GENERATION: number}) for number, generation in enumerate(gc.get_stats())]
