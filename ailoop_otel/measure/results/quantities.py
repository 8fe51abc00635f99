"""Values with units as text, read and written: `2 s`, `5 /1000`, `40 kB/session`.

A metric has one scale, that of its definition, and a scale belongs to a unit: bytes are never printed as milliseconds.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from ailoop_otel.measure.results.definitions import DEFINITIONS, UNITS, Definition

NOTHING: Final = "–"
INFINITE: Final = "∞"

_FORMS: Final = 7
_NUMBER: Final = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scale:
    """How the values of one metric are shown: divided by `factor`, in the unit `name`."""

    name: str
    factor: float

    def number(self, value: float | None) -> str:
        """A value in this scale without the unit's name; `∞` for infinity and `–` for None or NaN."""
        if value is None or math.isnan(value):
            return NOTHING
        if math.isinf(value):
            return INFINITE if value > 0 else f"−{INFINITE}"
        return _digits(value / self.factor)

    def quantity(self, value: float | None) -> str:
        """A value in this scale with the unit's name, `312 ms`; `∞` and `–` have no unit."""
        number = self.number(value)
        return number if number in (NOTHING, INFINITE, f"−{INFINITE}") else f"{number} {self.name}"


def scale(metric: Definition | str) -> Scale:
    """The scale of a metric, the same for all of its values; raises KeyError for the name of no metric."""
    definition = DEFINITIONS[metric] if isinstance(metric, str) else metric
    return Scale(definition.shown_in, UNITS[definition.unit].forms[_plain(definition.shown_in)])


def quantity(text: str, unit: str) -> float:
    """Read a value such as `250 ms` and return it in a metric's unit.

    Raises ValueError for a value without a unit or with another one; its text holds an example of a correct value.
    """
    forms, fit = UNITS[unit].forms, f'"{UNITS[unit].example}"'
    found = _NUMBER.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no value: write {fit}")
    number, written = float(found[1]), _plain(found[2])
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is too large: write {fit}")
    if written not in forms:
        problem = f"has the unit {found[2].strip()!r}" if written else "has no unit"
        some = ", ".join([form for form in forms if form][:_FORMS])
        raise ValueError(f"{text!r} {problem}: write {fit} (units: {some})")
    return number * forms[written]


def shown(value: float, metric: Definition | str) -> str:
    """A value of a metric with the metric's unit: `312 ms`; `–` for NaN, `∞` for infinity."""
    return scale(metric).quantity(value)


def between(low: float, high: float, metric: Definition | str) -> str:
    """An interval in a metric's unit: `98 to 103 ms`; `–` where a bound is NaN."""
    if math.isnan(low) or math.isnan(high):
        return NOTHING
    shown_in = scale(metric)
    return f"{shown_in.number(low)} to {shown_in.quantity(high)}"


def signed(value: float, metric: Definition | str) -> str:
    """A difference with its sign: `+3 per 1,000`."""
    return f"{'+' if value > 0 else ''}{shown(value, metric)}"


def percent(share: float | None) -> str:
    """A relative change (0.12) with its sign: `+12 %`; `–` for None or NaN."""
    if share is None or math.isnan(share):
        return NOTHING
    if math.isinf(share):
        return f"{'+' if share > 0 else '−'}{INFINITE} %"
    text = f"{abs(share) * 100:,.{0 if abs(share) >= 0.0995 else 1}f}"
    sign = "±" if not float(text.replace(",", "")) else "+" if share > 0 else "−"
    return f"{sign}{text} %"


def _plain(unit: str) -> str:
    """A unit in the form of the tables: `per 1,000` is `/1000`."""
    return re.sub(r"\s+", "", re.sub(r"\bper\b", "/", unit)).replace("1,000", "1000").replace("μ", "µ")


def _digits(number: float) -> str:
    """Three significant digits, but at least all before the decimal point."""
    size = abs(number)
    if size and size < 0.9995:
        text = f"{size:.3g}"
    else:
        text = f"{size:,.{0 if size >= 99.95 or size == int(size) else 1 if size >= 9.995 else 2}f}"
    return f"−{text}" if number < 0 else text
