"""Metrics that are looked up when they are collected, and not more often than once a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from opentelemetry.metrics import CallbackOptions, Observation

from ailoop_otel import names
from ailoop_otel.guard import Guard
from ailoop_otel.names import Metric
from ailoop_otel.process.cpu import observe_cpu_time
from ailoop_otel.process.descriptors import observe_descriptors
from ailoop_otel.process.garbage import observe_collected, observe_collections, observe_uncollectable
from ailoop_otel.process.memory import observe_memory_peak, observe_memory_usage

Sample = Callable[[], Sequence[Observation]]
Callback = Callable[[CallbackOptions], Iterable[Observation]]

_SHORTEST_INTERVAL: Final = 1.0  # seconds
_SAMPLES: Final[tuple[tuple[Metric, Sample], ...]] = (
    (names.METRIC_MEMORY_USAGE, observe_memory_usage),
    (names.METRIC_MEMORY_PEAK, observe_memory_peak),
    (names.METRIC_CPU_TIME, observe_cpu_time),
    (names.METRIC_DESCRIPTORS, observe_descriptors),
    (names.METRIC_GC_COLLECTIONS, observe_collections),
    (names.METRIC_GC_COLLECTED, observe_collected),
    (names.METRIC_GC_UNCOLLECTABLE, observe_uncollectable),
)


class Observers:
    """Pairs of metric and callback; after `stop()` every callback returns nothing.

    OpenTelemetry cannot take a callback back, so falling silent is all that is left.
    """

    def __init__(
        self,
        guard: Guard,
        samples: Iterable[tuple[Metric, Sample]] = _SAMPLES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guard = guard
        self._clock = clock
        self._stopped = False
        self._pairs = tuple((metric, self._callback(sample)) for metric, sample in samples)

    def __iter__(self) -> Iterator[tuple[Metric, Callback]]:
        return iter(self._pairs)

    def stop(self) -> None:
        """Make every callback return nothing from now on."""
        self._stopped = True

    def _callback(self, sample: Sample) -> Callback:
        known: Sequence[Observation] = ()
        taken_at = float("-inf")

        def callback(_options: CallbackOptions) -> Sequence[Observation]:
            nonlocal known, taken_at
            if self._stopped:
                return ()
            now = self._clock()
            if now - taken_at >= _SHORTEST_INTERVAL:
                # Emptied first: a sample that fails is a gap, not the old value for ever.
                known, taken_at = (), now
                with self._guard:
                    known = tuple(sample())
            return known

        return callback
