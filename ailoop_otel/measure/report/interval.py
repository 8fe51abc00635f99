"""A judged figure's interval as a small drawing: where it lies, and from where on it is too much."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ailoop_otel.measure.results.definitions import DEFINITIONS
from ailoop_otel.measure.verdict.verdict import Judged

WIDTH: Final = 160.0
_EDGE: Final = 6.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """Places along `WIDTH`; `limit` is where what is allowed ends, and `beyond` the stretch (from, width) after it."""

    low: float
    high: float
    value: float
    limit: float | None
    beyond: tuple[float, float] | None
    zero: float | None
    """No change at all, for what is held against a baseline."""


def drawing(row: Judged) -> Drawing | None:
    """Draw a change with its interval if there is one, else a value against its target; None for an unknown one."""
    worse = _worse(row)
    if row.change is not None:
        low, high = _or(row.change_low, row.change), _or(row.change_high, row.change)
        limit = None if row.allowed is None or not worse else worse * row.allowed
        return _placed(low, high, row.change, limit, worse, zero=0.0)
    limit = row.target if row.target is not None else row.reference
    return _placed(_or(row.low, row.value), _or(row.high, row.value), row.value, limit, worse, zero=None)


def _worse(row: Judged) -> int:
    """The direction of a change for the worse: 1 for more, -1 for less, 0 for neither."""
    definition = DEFINITIONS.get(row.metric)
    return {"lower": 1, "higher": -1}.get(definition.better, 0) if definition else 0


def _or(bound: float | None, value: float) -> float:
    return value if bound is None or math.isnan(bound) else bound


def _placed(
    low: float, high: float, value: float, limit: float | None, worse: int, *, zero: float | None
) -> Drawing | None:
    if math.isnan(value):
        return None
    known = [each for each in (low, high, value, limit, zero) if each is not None and math.isfinite(each)]
    if not known:
        return None
    place = _placing(known)
    at = None if limit is None or math.isnan(limit) else place(limit)
    beyond = None
    if at is not None and worse:
        beyond = (at, WIDTH - at) if worse > 0 else (0.0, at)
    return Drawing(place(low), place(high), place(value), at, beyond, None if zero is None else place(zero))


def _placing(known: Sequence[float]) -> Callable[[float], float]:
    """A function from values to places, with room beside the outermost; the infinite stands at the edge."""
    low, high = min(known), max(known)
    room = (high - low) * 0.15 or abs(high) * 0.1 or 1.0
    low, high = low - room, high + room

    def place(value: float) -> float:
        share = (value - low) / (high - low)
        return round(min(max(share * WIDTH, _EDGE), WIDTH - _EDGE), 2)

    return place
