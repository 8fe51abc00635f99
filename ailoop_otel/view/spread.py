"""How durations of one kind are spread, in memory that does not grow with their number."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

# Neighbouring bins differ by a thousandth, so the three digits that are shown are right.
_STEP: Final = math.log(1.001)
_SMALLEST: Final = 1e-9


class Spread:
    """Count, percentiles and maximum of durations in seconds."""

    __slots__ = ("_bins", "count", "largest", "smallest")

    def __init__(self) -> None:
        self.count = 0
        self.largest = 0.0
        self.smallest = math.inf
        self._bins: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Take one duration in."""
        self.count += 1
        self.largest = max(self.largest, seconds)
        self.smallest = min(self.smallest, seconds)
        self._bins[math.floor(math.log(max(seconds, _SMALLEST)) / _STEP)] += 1

    def percentile(self, share: float) -> float:
        """The duration in seconds that this share of them (0 to 1) does not exceed; 0 when there is none."""
        rank = max(1, math.ceil(share * self.count))
        for bin_, count in sorted(self._bins.items()):
            rank -= count
            if rank <= 0:
                return min(max(math.exp((bin_ + 0.5) * _STEP), self.smallest), self.largest)
        return 0.0
