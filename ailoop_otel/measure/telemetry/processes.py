"""Memory, CPU and sessions of a server's processes, from the points of its metrics."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from ailoop_otel import names
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.statistics.intervals import theil_sen_slope
from ailoop_otel.measure.telemetry.exchanges import ServerTelemetry, process_of
from ailoop_otel.recorded.records import Point

_SECOND: Final = 1e9
# A slope of fewer samples means nothing.
_FEWEST: Final = 10
_GAUGES: Final = {
    names.METRIC_MEMORY_USAGE.name: definitions.MEMORY,
    names.METRIC_SESSION_ACTIVE.name: definitions.SESSIONS,
}


def process_observations(telemetry: ServerTelemetry, begin: int) -> Iterator[Observation]:
    """Samples of each process, labelled with the process if there are several, and the slopes of memory.

    `begin` is the start of the run in nanoseconds since 1970.
    """
    by_process: defaultdict[str, list[Point]] = defaultdict(list)
    for point in telemetry.points.values():
        by_process[process_of(point)].append(point)
    for number, (process, points) in enumerate(sorted(by_process.items())):
        points.sort(key=lambda point: point.time)
        label = process[:8] if len(by_process) > 1 else ""
        for point in points:
            definition = _GAUGES.get(point.metric)
            if definition is not None:
                yield observed(definition, point.value, (point.time - begin) / _SECOND, label=label, process=number)
        for time, cores in _cores(points):
            yield observed(definitions.CPU, cores, (time - begin) / _SECOND, label=label, process=number)
    if len(by_process) == 1:  # with several, the process of a session is unknown
        yield from _slopes(points, sorted(telemetry.starts.values()))
    if len(by_process) <= 1:
        for time, count in _connected(telemetry):
            yield observed(definitions.SESSIONS, count, (time - begin) / _SECOND)


def _connected(telemetry: ServerTelemetry) -> Iterator[tuple[int, int]]:
    """Time (ns since 1970) and number of open sessions after each start and end; one without an end stays open.

    A recording that is shorter than the export interval has no other count. It cannot be used with several processes:
    one of them may have died, and the ends of its sessions are unknown.
    """
    ends = {
        session.trace_id: session.start + round(session.seconds * _SECOND) for session in telemetry.sessions.values()
    }
    starts = {session.trace_id: session.start for session in telemetry.sessions.values()} | telemetry.starts
    steps = sorted([*((time, 1) for time in starts.values()), *((time, -1) for time in ends.values())])
    count = 0
    for time, step in steps:
        count += step
        yield time, count


def _cores(points: Sequence[Point]) -> Iterator[tuple[int, float]]:
    """Time (ns since 1970) and CPU seconds per second, user and system, between two exports."""
    used: defaultdict[int, float] = defaultdict(float)
    for point in points:
        if point.metric == names.METRIC_CPU_TIME.name and not point.delta:
            used[point.time] += point.value
    for (before, low), (after, high) in pairwise(sorted(used.items())):
        if high >= low:
            yield after, (high - low) / ((after - before) / _SECOND)


def _slopes(points: Sequence[Point], starts: Sequence[int]) -> Iterator[Observation]:
    memory = [point for point in points if point.metric == names.METRIC_MEMORY_USAGE.name]
    at = [(point.time - memory[0].time) / _SECOND for point in memory]
    yield from _slope(definitions.MEMORY_GROWTH, at, memory)
    opened = [float(bisect_right(starts, point.time)) for point in memory]
    yield from _slope(definitions.MEMORY_PER_SESSION, opened, memory)


def _slope(definition: Definition, at: Sequence[float], memory: Sequence[Point]) -> Iterator[Observation]:
    if len(memory) < _FEWEST:
        return
    found = theil_sen_slope(np.array(at), np.array([point.value for point in memory])).value
    if not math.isnan(found):
        yield observed(definition, found, 0.0)
