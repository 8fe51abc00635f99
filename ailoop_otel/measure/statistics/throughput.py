"""Answers per second, as they are in the middle of a run.

Each answer is counted evenly over the time it took, and the rate is taken from after the first answers to the start of
the last. Counting completions instead and dividing by the time would lose up to one answer of each session at either
end: a quarter of all, where sessions answer four times in a run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ailoop_otel.measure.results.observations import Observation, is_missing
from ailoop_otel.measure.statistics.percentiles import Values

# An answer that took no time at all still counts once.
_INSTANT = 1e-9


def answers_per_second(exchanges: Sequence[Observation], blocks: int = 1) -> Values:
    """The rate of good answers in each of so many stretches of equal time; zeros where there was none.

    `exchanges` are completions: when each was planned, and how long it took.
    """
    good = [row for row in exchanges if not row.failed and not is_missing(row.value)]
    if not good:
        return np.zeros(blocks)
    begin = np.array([row.at for row in good])
    took = np.maximum([row.value for row in good], _INSTANT)
    start, end = float(begin.min()), float(begin.max())
    settled = start + float(np.median(took))
    # Where there are a few answers only, nothing is the middle.
    start, end = (settled, end) if settled < (start + end) / 2 else (start, float((begin + took).max()))
    edges = np.linspace(start, end, blocks + 1)
    done = np.array([np.clip((edge - begin) / took, 0, 1).sum() for edge in edges])
    rates: Values = np.diff(done) / np.diff(edges)
    return rates
