"""Sends an old recording as if it happened now: for trying dashboards and alerts."""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from ailoop_otel.recorded.otlp_json import METRICS, Json, identifier, instant, mapping, mappings
from ailoop_otel.replay.delivery import Answer
from ailoop_otel.replay.export_request import ExportRequest
from ailoop_otel.settings import UsageError

_TIMES: Final = ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano")
_PACE: Final = re.compile(r"(\d+(?:\.\d+)?)x?", re.IGNORECASE)
_MOST_TRACES: Final = 10_000
_SECOND: Final = 1_000_000_000
_LONGEST_PAUSE: Final = 86_400.0  # seconds; what a damaged recording says may be years
_SLOWEST, _FASTEST = 0.01, 1000.0


def pace_of(shift: str, pace: str) -> float:
    """How many times as fast as it was recorded: 2 for `2x`, 1 where `pace` is empty, 0 without `shift`.

    Raises UsageError for anything else.
    """
    if not shift:
        if pace:
            raise UsageError("--pace goes with --shift now, which gives a recording the times of now")
        return 0.0
    if shift != "now":
        raise UsageError(f"--shift {shift!r} is not understood: it takes `now`")
    found = _PACE.fullmatch(pace.strip() or "1x")
    if found is None or not _SLOWEST <= float(found[1]) <= _FASTEST:
        raise UsageError(f"--pace {pace!r} is not understood: write 1x, 2x or 0.5x, up to {_FASTEST:g}x")
    return float(found[1])


class Shifted:
    """Sends each request with the times of now, when its last record ends, `pace` times as fast as it was recorded.

    The records of a trace are moved together, so that durations stay as they were.
    """

    def __init__(
        self,
        send: Callable[[ExportRequest], Answer],
        pace: float,
        clock: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._send = send
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._first = 0
        self._begin = 0
        self._traces: OrderedDict[str, int] = OrderedDict()

    def send(self, request: ExportRequest) -> Answer:
        """Wait until it is time for a request, and send it with its new times; raises as `Delivery.send` does."""
        root = json.loads(request.content)
        found = [(record, *time) for _, record in request.signal.records(root) for time in _times(record)]
        if found and not self._first:
            self._first, self._begin = min(moment for *_, moment in found), self._clock()
        latest = 0
        for record, holder, name, moment in found:
            trace = identifier(record.get("traceId"))
            moved = self._moved(moment) if request.signal is METRICS else moment + self._offset(trace, moment)
            holder[name] = str(max(1, moved))
            latest = max(latest, moved)
        pause = max(0, latest - self._clock()) / _SECOND if latest else 0.0
        self._sleep(min(pause, _LONGEST_PAUSE))
        return self._send(replace(request, content=json.dumps(root, separators=(",", ":")).encode()))

    def _moved(self, moment: int) -> int:
        return self._begin + int((moment - self._first) / self._pace)

    def _offset(self, trace: str, moment: int) -> int:
        """By how much the records of a trace are moved: as the first of them is."""
        offset = self._traces.get(trace) if trace else None
        if offset is None:
            offset = self._moved(moment) - moment
            self._traces[trace] = offset
            if len(self._traces) > _MOST_TRACES:
                self._traces.popitem(last=False)
        return offset


def _times(record: Json) -> Iterator[tuple[Json, str, int]]:
    """The times of a span and its events, a log record, or the data points of a metric: holder, member's name, time."""
    holders = [record, *mappings(record.get("events"))]
    for data in record.values():
        holders += mappings(mapping(data).get("dataPoints"))
    for holder in holders:
        for name in _TIMES:
            if moment := instant(holder.get(name)):
                yield holder, name, moment
