"""The figures of the last seconds, while a run goes on: what the terminal shows, and what may end the run early.

Nothing here reads a clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ailoop_otel.measure.load.level import FollowedMessages, passed
from ailoop_otel.measure.load.scenario import AbortCriteria
from ailoop_otel.measure.results.observations import OK
from ailoop_otel.measure.statistics.percentiles import percentile


class LiveFigures:
    """The first chunks and ends of the last `seconds` seconds, of `messages`, which it follows by their events."""

    def __init__(self, seconds: float) -> None:
        self.messages = FollowedMessages()
        self._seconds = seconds
        self._since = math.inf
        self._firsts: deque[tuple[float, float]] = deque()
        self._ends: deque[tuple[float, bool]] = deque()

    def clear(self, now: float) -> None:
        """Begin anew at `now`: what came before, the warm-up say, does not count."""
        self._since = now
        self._firsts.clear()
        self._ends.clear()

    def take(self, events: Iterable[Sequence[Any]], now: float) -> None:
        """Add the events that came until `now`, and forget of the figures what is older than `seconds`."""
        for kind, message in self.messages.take(events):
            if kind == "first" and message.first is not None:
                self._firsts.append((now, message.first))
            elif kind == "ended":
                self._ends.append((now, message.outcome != OK))
        for seen in (self._firsts, self._ends):
            while seen and seen[0][0] < now - self._seconds:
                seen.popleft()

    def rate(self, now: float) -> float:
        """Messages ended per second."""
        return len(self._ends) / max(min(self._seconds, now - self._since), 1e-9)

    def errors(self) -> float:
        """Errors per 1,000 messages that ended; 0 without any."""
        return 1000 * sum(failed for _, failed in self._ends) / max(1, len(self._ends))

    def first_chunk(self, percent: float, waiting: int = 0) -> float:
        """A percentile of the first chunk in seconds; failures, and so many that wait too long, are infinity."""
        values = [*(seconds for _, seconds in self._firsts), *[math.inf] * waiting]
        return percentile(np.sort(np.array(values, dtype=float)), percent)

    def beyond(self, criteria: AbortCriteria, now: float) -> str:
        """Why the run should end: which limit the figures of the last `seconds` are beyond; empty if none is."""
        if now - self._since < self._seconds:
            return ""
        last = f" over the last {self._seconds:g} s"
        allowed = criteria.first_chunk_p95 if criteria.first_chunk_p95 is not None else math.inf
        waiting = sum(each.waits and now - each.planned > allowed for each in self.messages.open.values())
        p95 = self.first_chunk(95, waiting)
        if reason := passed(criteria, self.errors(), p95, last):
            return reason
        rate = self.rate(now)
        if criteria.rate is not None and rate < criteria.rate:
            return f"{rate:.3g} messages/s were answered{last}, and {criteria.rate:g} is the least"
        return ""
