"""The data of the plots: each metric's observations as columns, and the selection of points to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.statistics.percentiles import Values, is_failure

# More points than this cannot be distinguished in a plot, and make the page slow.
MOST_POINTS: Final = 1000

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Series:
    """One metric's observations after the warm-up, as columns in order of time.

    `at` is in seconds since the run began; `values` are in the definition's unit, NaN if the event never happened;
    `exchange` is -1 for an observation without one.
    """

    definition: Definition
    at: Values
    values: Values
    failed: Flags
    exchange: Numbers
    rows: list[Observation]

    @property
    def usable(self) -> Flags:
        """Which observations have a finite value and did not fail."""
        known: Flags = np.isfinite(self.values) & ~self.failed
        return known

    def only(self, wanted: Flags) -> Series:
        """The same columns, with the rows of a mask only."""
        rows = [row for row, keep in zip(self.rows, wanted, strict=True) if keep]
        return Series(
            self.definition, self.at[wanted], self.values[wanted], self.failed[wanted], self.exchange[wanted], rows
        )


@dataclass(frozen=True, slots=True)
class PlotData:
    """A report and the columns of each of its metrics."""

    report: Report
    series: dict[str, Series]

    def get(self, definition: Definition) -> Series | None:
        """The columns of a metric, None if it has no usable observation."""
        series = self.series.get(definition.name)
        return series if series is not None and series.usable.any() else None

    def without_ramp(self, definition: Definition) -> Series | None:
        """The columns that a metric's figures are computed from: those of a ramp only if there are no others."""
        series = self.get(definition)
        if series is None:
            return None
        outside_ramp = np.array([row.phase != "ramp" for row in series.rows])
        return series.only(outside_ramp) if outside_ramp.any() else series

    @property
    def times(self) -> Values:
        """The times of exchanges, of their ends and of samples, which every axis of time spans; seconds."""
        parts = [each.at for each in self.series.values() if each.definition.each in ("exchange", "sample")]
        ends = [
            (each.at + np.nan_to_num(each.values, posinf=0, neginf=0))
            for each in self.series.values()
            if each.definition.each == "exchange" and each.definition.unit == "s"
        ]
        whole: Values = np.concatenate([*parts, *ends]) if parts else np.array([])
        return whole[np.isfinite(whole)]


def plot_data(report: Report) -> PlotData:
    """Sort a run's observations into columns."""
    rows: dict[str, list[Observation]] = {}
    for each in report.run.observations:
        if each.phase != "warmup":
            rows.setdefault(each.metric, []).append(each)
    return PlotData(report, {name: _series(DEFINITIONS[name], each) for name, each in rows.items()})


def _series(definition: Definition, rows: list[Observation]) -> Series:
    rows = sorted(rows, key=lambda each: each.at)
    return Series(
        definition,
        np.array([each.at for each in rows], dtype=float),
        np.array([each.value for each in rows], dtype=float),
        np.array([is_failure(each, definition) for each in rows], dtype=bool),
        np.array([each.exchange for each in rows], dtype=np.int64),
        rows,
    )


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
