"""Messages as their events tell of them while a run goes on, and the figures of the last seconds.

Nothing here reads a clock. The events of a message are `planned` with its segment and its planned time, `sent` and
`first` (chunk) with seconds since then, and `ended` with its outcome, its first chunk and how long it took.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ailoop_otel.measure.load.scenario import AbortCriteria, StabilityCriteria
from ailoop_otel.measure.results.observations import OK
from ailoop_otel.measure.statistics.percentiles import percentile


@dataclass(slots=True)
class Followed:
    """One message: `planned` in seconds of `time.perf_counter()`, all else in seconds since then.

    None for what has not come; `first` is the first chunk, infinity for a failure.
    """

    planned: float
    sent: float | None = None
    first: float | None = None
    took: float | None = None
    outcome: str = ""

    @property
    def waits(self) -> bool:
        """Whether its first chunk may still come; a slash command ends without one."""
        return self.first is None and not self.outcome


class LiveFigures:
    """All messages of a run, and the first chunks and ends of the last `seconds` seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since = math.inf
        self._open: dict[int, Followed] = {}
        self._segments: defaultdict[int, list[Followed]] = defaultdict(list)
        self._firsts: deque[tuple[float, float]] = deque()
        self._ends: deque[tuple[float, bool | None]] = deque()

    def of(self, segment: int) -> list[Followed]:
        """The messages that were planned in a segment so far, by its number; the list grows."""
        return self._segments[segment]

    def clear(self, now: float) -> None:
        """Begin anew at `now`: what came before, the warm-up say, does not count."""
        self._since = now
        self._firsts.clear()
        self._ends.clear()

    def take(self, events: Iterable[Sequence[Any]], now: float) -> None:
        """Add the events that came until `now`, and forget of the figures what is older than `seconds`."""
        for kind, number, value in events:
            if kind == "planned":
                segment, at = value
                self._open[number] = Followed(at)
                self._segments[segment].append(self._open[number])
            elif kind == "sent":
                self._open[number].sent = value
            elif kind == "first":
                self._first(self._open[number], value, now)
            else:
                message = self._open.pop(number)
                message.outcome, first, message.took = value
                self._first(message, first if message.outcome == OK else math.inf, now)
                # A slash command that did well has no first chunk, and is in no share of errors.
                self._ends.append((now, message.outcome != OK if message.first is not None else None))
        for seen in (self._firsts, self._ends):
            while seen and seen[0][0] < now - self._seconds:
                seen.popleft()

    def _first(self, message: Followed, first: float | None, now: float) -> None:
        """Note a first chunk, or the failure that takes its place."""
        if first is not None and first != message.first:
            message.first = first
            self._firsts.append((now, first))

    def rate(self, now: float) -> float:
        """Messages ended per second."""
        return len(self._ends) / max(min(self._seconds, now - self._since), 1e-9)

    def errors(self) -> float:
        """Errors per 1,000 messages that ended, slash commands that did well left out; 0 without any."""
        ended = [failed for _, failed in self._ends if failed is not None]
        return 1000 * sum(ended) / max(1, len(ended))

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
        waiting = sum(each.waits and now - each.planned > allowed for each in self._open.values())
        p95 = self.first_chunk(95, waiting)
        if reason := passed(criteria, self.errors(), p95, last):
            return reason
        rate = self.rate(now)
        if criteria.rate is not None and rate < criteria.rate:
            return f"{rate:.3g} messages/s were answered{last}, and {criteria.rate:g} is the least"
        return ""


def passed(limits: StabilityCriteria | AbortCriteria, errors: float, first_chunk_p95: float, when: str = "") -> str:
    """Which limit the errors per 1,000 messages or the p95 of the first chunk (s) are beyond; empty if none is.

    `when` is put into the sentence: " over the last 10 s".
    """
    if limits.errors is not None and errors > limits.errors:
        return f"{errors:.3g} errors per 1,000 messages{when}, and {limits.errors:g} are allowed"
    return too_slow("first chunk", first_chunk_p95, limits.first_chunk_p95, when)


def too_slow(what: str, p95: float, allowed: float | None, when: str = "") -> str:
    """Whether a p95 (s) is beyond what is allowed, as a sentence; empty if not."""
    if allowed is None or not p95 > allowed:
        return ""
    if math.isinf(p95):
        return f"the {what} of more than one message in twenty did not come in {allowed:g} s{when}"
    return f"p95 of the {what} was {p95:.3g} s{when}, and {allowed:g} s are allowed"
