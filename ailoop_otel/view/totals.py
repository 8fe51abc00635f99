"""Counts over all that was read: outcomes, durations, what was used, and calls that start no exchange."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from ailoop_otel.recorded.records import Span
from ailoop_otel.view.exchanges import NOTHING_USED, Exchange
from ailoop_otel.view.usage import Usage

# Neighbouring bins differ by 0.1 %, so that the three digits that are shown are right.
_STEP: Final = math.log(1.001)
_SMALLEST: Final = 1e-9


class DurationHistogram:
    """Count, percentiles and maximum of durations in seconds; its memory grows with their range, not their number."""

    __slots__ = ("_bins", "count", "largest", "smallest")

    def __init__(self) -> None:
        self.count = 0
        self.largest = 0.0
        self.smallest = math.inf
        self._bins: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Add one duration."""
        self.count += 1
        self.largest = max(self.largest, seconds)
        self.smallest = min(self.smallest, seconds)
        self._bins[math.floor(math.log(max(seconds, _SMALLEST)) / _STEP)] += 1

    def percentile(self, share: float) -> float:
        """The nearest-rank percentile in seconds; `share` is from 0 to 1. 0 if no duration was added."""
        rank = max(1, math.ceil(share * self.count))
        for bin_, count in sorted(self._bins.items()):
            rank -= count
            if rank <= 0:
                return min(max(math.exp((bin_ + 0.5) * _STEP), self.smallest), self.largest)
        return 0.0


@dataclass(slots=True)
class Calls:
    """All calls of one JSON-RPC method that start no exchange."""

    method: str
    errors: int = 0
    durations: DurationHistogram = field(default_factory=DurationHistogram)

    def add(self, span: Span) -> None:
        """Add one call."""
        self.durations.add(span.seconds)
        self.errors += span.error


@dataclass(slots=True)
class Totals:
    """Counts over everything that passes the filters; `first` and `last` in nanoseconds since 1970."""

    spans: int = 0
    first: int = 0
    last: int = 0
    sessions: int = 0
    sessions_ended: int = 0
    timeouts: int = 0
    server_starts: int = 0
    server_stops: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    first_chunks: DurationHistogram = field(default_factory=DurationHistogram)
    durations: DurationHistogram = field(default_factory=DurationHistogram)
    usage: Usage = NOTHING_USED

    def add(self, span: Span) -> None:
        """Count a span and extend the covered time."""
        self.spans += 1
        self.first = min(self.first or span.start, span.start)
        self.last = max(self.last, span.end)

    def add_finished(self, exchange: Exchange) -> None:
        """Count a finished exchange."""
        self.outcomes[exchange.outcome] += 1
        self.durations.add(exchange.seconds)
        self.usage = self.usage.plus(exchange.usage)
        if exchange.first_chunk is not None:
            self.first_chunks.add(exchange.first_chunk)
