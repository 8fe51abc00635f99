"""Memory, CPU and sessions of a server's processes, from the points of its metrics."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Final, TypeAlias

from ailoop_otel import names
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.statistics.estimates import settled_slope
from ailoop_otel.measure.telemetry.exchanges import Series, ServerTelemetry

_SECOND: Final = 1e9
# A slope of fewer samples means nothing, and of sessions their starts and ends tell more.
_FEWEST: Final = 10
# Seconds; a server reads its CPU time once in so long.
_CPU_READ: Final = 0.95
_GAUGES: Final = {
    names.METRIC_MEMORY_USAGE.name: definitions.MEMORY,
    names.METRIC_SESSION_ACTIVE.name: definitions.SESSIONS,
}

# Time (ns since 1970), series and value.
_Point: TypeAlias = tuple[int, Series, float]


def process_observations(telemetry: ServerTelemetry, begin: int) -> Iterator[Observation]:
    """Samples of each process, labelled with the process if there are several, and the slopes of memory.

    `begin` is the start of the run in nanoseconds since 1970.
    """
    by_process: defaultdict[str, list[_Point]] = defaultdict(list)
    for (series, time), value in telemetry.points.items():
        by_process[series.process].append((time, series, value))
    gauged = sum(series.metric == names.METRIC_SESSION_ACTIVE.name for series, _ in telemetry.points) >= _FEWEST
    counts = () if len(by_process) > 1 or gauged else tuple(_connected(telemetry))
    for number, (process, points) in enumerate(sorted(by_process.items())):
        points.sort(key=itemgetter(0))
        label = process[:8] if len(by_process) > 1 else ""
        for time, series, value in points:
            definition = _GAUGES.get(series.metric)
            if definition is not None and not (counts and definition is definitions.SESSIONS):
                yield observed(definition, value, (time - begin) / _SECOND, label=label, process=number)
        for time, cores in _cores(points):
            yield observed(definitions.CPU, cores, (time - begin) / _SECOND, label=label, process=number)
    if len(by_process) == 1:  # with several, the process of a session is unknown
        yield from _slopes(points, sorted(telemetry.starts.values()), begin)
    for time, count in counts:
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


def _cores(points: Sequence[_Point]) -> Iterator[tuple[int, float]]:
    """Time (ns since 1970) and CPU seconds per second, user and system, between two exports."""
    used: defaultdict[int, float] = defaultdict(float)
    for time, series, value in points:
        if series.metric == names.METRIC_CPU_TIME.name and not series.delta:
            used[time] += value
    kept: list[tuple[int, float]] = []
    for time, seconds in sorted(used.items()):
        if not kept or time - kept[-1][0] >= _CPU_READ * _SECOND:
            kept.append((time, seconds))
    for (before, low), (after, high) in pairwise(kept):
        if high >= low:
            yield after, (high - low) / ((after - before) / _SECOND)


def _slopes(points: Sequence[_Point], starts: Sequence[int], begin: int) -> Iterator[Observation]:
    memory = [(time, value) for time, series, value in points if series.metric == names.METRIC_MEMORY_USAGE.name]
    over = {
        definitions.MEMORY_GROWTH: [(time - begin) / _SECOND for time, _ in memory],
        definitions.MEMORY_PER_SESSION: [float(bisect_right(starts, time)) for time, _ in memory],
    }
    for definition, at in over.items():
        slope = settled_slope(at, [value for _, value in memory])
        if len(memory) >= _FEWEST and not math.isnan(slope):
            yield observed(definition, slope, 0.0)
