"""Values with units as text, read and written: `2 s`, `5 /1000`, `40 kB/session`.

A metric has one scale, that of its definition, and a scale belongs to a unit: bytes are never printed as milliseconds.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition

NOTHING: Final = "–"
INFINITE: Final = "∞"

_TIMES: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_SIZES: Final = {
    "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3, "By": 1.0,
}  # fmt: skip
_PER_TIME: Final = {"/s": 1.0, "/min": 1 / 60, "/h": 1 / 3600}

# For each unit of the table of metrics: the units in which a value may be written, with the factor to it.
UNITS: Final[dict[str, dict[str, float]]] = {
    "s": _TIMES,
    "By": _SIZES,
    "By/s": {size + per: factor * each for size, factor in _SIZES.items() for per, each in _PER_TIME.items()},
    "By/{session}": {f"{size}/session": factor for size, factor in _SIZES.items()},
    "{message}/s": {**_PER_TIME, **{f"messages{per}": factor for per, factor in _PER_TIME.items()}},
    "{error}/1000": {"/1000": 1.0, "errors/1000": 1.0, "%": 10.0},
    "{session}": {"": 1.0, "sessions": 1.0, "session": 1.0},
    "{turn}": {"": 1.0, "turns": 1.0, "turn": 1.0},
    "1": {"": 1.0, "%": 0.01},
    "{token}": {"": 1.0, "tokens": 1.0, "token": 1.0},
    "USD": {"USD": 1.0},
}
_EXAMPLES: Final = {
    "s": "2 s", "By": "200 MB", "By/s": "10 kB/s", "By/{session}": "40 kB/session", "{message}/s": "20 /s",
    "{error}/1000": "5 /1000", "{session}": "50", "{turn}": "10", "1": "80 %", "{token}": "500", "USD": "2 USD",
}  # fmt: skip
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
    return Scale(definition.shown_in, UNITS[definition.unit][_plain(definition.shown_in)])


def quantity(text: str, unit: str, such_as: str = "") -> float:
    """Read a value such as `250 ms` and return it in a metric's unit.

    Raises ValueError for a value without a unit or with another one; its text holds an example of a correct value,
    `such_as` if it is given.
    """
    fit = f'"{such_as}"' if such_as else example(unit)
    found = _NUMBER.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no value: write {fit}")
    number, written = float(found[1]), _plain(found[2])
    factors = UNITS.get(unit, {unit: 1.0})
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is too large: write {fit}")
    if written not in factors:
        forms = ", ".join([form for form in factors if form][:_FORMS]) or unit
        problem = f"has the unit {found[2].strip()!r}" if written else "has no unit"
        raise ValueError(f"{text!r} {problem}: write {fit} (units: {forms})")
    return number * factors[written]


def example(unit: str) -> str:
    """An example of a value of a unit, in quotes."""
    return f'"{_EXAMPLES.get(unit, f"1 {unit}")}"'


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
