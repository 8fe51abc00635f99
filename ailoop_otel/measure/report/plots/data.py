"""The data of the plots: each metric's observations as columns, and the selection of points to draw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.statistics.percentiles import Values, is_failure

# More points than this cannot be distinguished in a plot, and make the page slow.
MOST_POINTS: Final = 1000

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Series:
    """One metric's observations that have a finite value and did not fail, as columns in order of time."""

    definition: Definition
    rows: list[Observation]

    @cached_property
    def at(self) -> Values:
        """Seconds since the run began."""
        return np.array([row.at for row in self.rows], dtype=float)

    @cached_property
    def values(self) -> Values:
        """The values in the definition's unit."""
        return np.array([row.value for row in self.rows], dtype=float)

    @cached_property
    def exchange(self) -> Numbers:
        """The number of each one's exchange, -1 for an observation without one."""
        return np.array([row.exchange for row in self.rows], dtype=np.int64)

    def labelled(self, label: str) -> Series:
        """The part with one label."""
        return Series(self.definition, [row for row in self.rows if row.label == label])


def series(report: Report, definition: Definition, *, steady: bool = False) -> Series | None:
    """A metric after the warm-up, or `steady`, what its figures are computed from; None where there is nothing."""
    rows = report.run.steady(definition) if steady else report.run.of(definition)
    kept = [row for row in rows if math.isfinite(row.value) and not is_failure(row, definition)]
    return Series(definition, kept) if kept else None


def times(report: Report) -> Values:
    """The times of exchanges, of their ends and of samples, which every axis of time spans; seconds."""
    found: list[float] = []
    for definition in report.run.metrics():
        if definition.each in ("exchange", "sample"):
            found += [row.at for row in report.run.of(definition)]
        if definition.each == "exchange" and definition.unit == "s":
            found += [row.at + row.value for row in report.run.of(definition) if math.isfinite(row.value)]
    return np.array(found, dtype=float)


def thinned(at: Values, values: Values, most: int = MOST_POINTS) -> Numbers:
    """Indices of about `most` points: the first, the lowest and the highest of each stretch, so that peaks stay."""
    if len(at) <= most:
        return np.arange(len(at))
    stretches = np.array_split(np.arange(len(at)), most // 3)
    return np.unique([pick for part in stretches for pick in (
        part[0], part[np.argmin(values[part])], part[np.argmax(values[part])])
    ])  # fmt: skip


def spaced(number: int, most: int) -> list[int]:
    """At most `most` of the indices 0 to number - 1, evenly spaced."""
    if number <= most:
        return list(range(number))
    return sorted(set(np.linspace(0, number - 1, most).astype(int).tolist()))
