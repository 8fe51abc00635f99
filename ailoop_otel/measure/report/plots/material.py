"""What plots are made of: each metric's observations as columns, and how many points are worth drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ailoop_otel.measure.report.digest import Digest
from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.statistics.percentiles import Values, is_failure

# More points than this cannot be told apart on a page, and make it slow.
MOST: Final = 1500

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Series:
    """One metric's observations outside the warm-up, in order of time; `values` are NaN where the event never came."""

    definition: Definition
    at: Values
    values: Values
    failed: Flags
    exchange: Numbers
    rows: list[Observation]

    @property
    def seen(self) -> Flags:
        """Which observations have a value and did not fail."""
        known: Flags = np.isfinite(self.values) & ~self.failed
        return known

    def only(self, wanted: Flags) -> Series:
        """The same columns of some of the rows."""
        rows = [row for row, keep in zip(self.rows, wanted, strict=True) if keep]
        return Series(
            self.definition, self.at[wanted], self.values[wanted], self.failed[wanted], self.exchange[wanted], rows
        )


@dataclass(frozen=True, slots=True)
class Material:
    """A digest with its metrics as columns."""

    digest: Digest
    series: dict[str, Series]

    def steady(self, definition: Definition) -> Series | None:
        """The columns that a metric's figures are made of: without a search for a limit, unless that is all."""
        found = self.get(definition)
        if found is None:
            return None
        held = np.array([row.phase != "ramp" for row in found.rows])
        return found.only(held) if held.any() else found

    def get(self, definition: Definition) -> Series | None:
        """One metric's columns, None where nothing was seen of it."""
        found = self.series.get(definition.name)
        return found if found is not None and found.seen.any() else None

    @property
    def times(self) -> Values:
        """When anything was observed, of an exchange also when it ended: the extent of all axes of time."""
        parts = [each.at for each in self.series.values() if each.definition.each != "run"]
        ends = [
            (each.at + np.nan_to_num(each.values, posinf=0, neginf=0))
            for each in self.series.values()
            if each.definition.each == "exchange" and each.definition.unit == "s"
        ]
        whole: Values = np.concatenate([*parts, *ends]) if parts else np.array([])
        return whole[np.isfinite(whole)]


def material(digest: Digest) -> Material:
    """Sort a run's observations into columns."""
    rows: dict[str, list[Observation]] = {}
    for each in digest.run.observations:
        if each.phase != "warmup":
            rows.setdefault(each.metric, []).append(each)
    return Material(digest, {name: _series(DEFINITIONS[name], found) for name, found in rows.items()})


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


def thinned(at: Values, values: Values, most: int = MOST) -> tuple[Values, Values]:
    """At most about so many points: of each stretch of time the lowest, the highest and the first, so peaks stay."""
    if len(at) <= most:
        return at, values
    stretches = np.array_split(np.arange(len(at)), most // 3)
    kept = np.unique([pick for part in stretches for pick in (
        part[0], part[np.argmin(values[part])], part[np.argmax(values[part])])
    ])  # fmt: skip
    return at[kept], values[kept]
