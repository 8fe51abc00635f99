"""Numbers as people read them: one scale for a metric, that of its definition, and always with the unit's name.

A scale belongs to a unit of the table of definitions, so bytes can never be printed as milliseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.view.units import counted

__all__ = ["INFINITE", "NOTHING", "SCALES", "WORDS", "Scale", "change", "count", "counted", "duration", "fitting",
           "per_thousand", "scale"]  # fmt: skip

NOTHING: Final = "–"
INFINITE: Final = "∞"


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


# The scales of each unit of the table of definitions, largest first. Sizes are decimal, as in the rest of the package.
SCALES: Final[dict[str, tuple[Scale, ...]]] = {
    "s": (Scale("s", 1.0), Scale("ms", 1e-3), Scale("µs", 1e-6)),
    "By": (Scale("GB", 1e9), Scale("MB", 1e6), Scale("kB", 1e3), Scale("B", 1.0)),
    "By/s": (Scale("MB/s", 1e6), Scale("kB/s", 1e3), Scale("B/s", 1.0)),
    "By/{session}": (Scale("MB/session", 1e6), Scale("kB/session", 1e3), Scale("B/session", 1.0)),
    "{message}/s": (Scale("messages/s", 1.0),),
    "{error}/1000": (Scale("per 1,000", 1.0),),
    "{session}": (Scale("sessions", 1.0),),
    "{turn}": (Scale("turns", 1.0),),
    "1": (Scale("%", 0.01),),
    "{token}": (Scale("tokens", 1.0),),
    "USD": (Scale("USD", 1.0),),
}

# Each unit of the table of definitions in words.
WORDS: Final = {
    "s": "seconds",
    "By": "bytes",
    "By/s": "bytes per second",
    "By/{session}": "bytes per session",
    "{message}/s": "messages per second",
    "{error}/1000": "errors per 1,000 requests",
    "{session}": "sessions",
    "{turn}": "turns",
    "1": "a share (1 is 100 %)",
    "{token}": "tokens",
    "USD": "US dollars",
}


def scale(metric: Definition | str) -> Scale:
    """The scale of a metric, the same for all of its values; raises KeyError for the name of no metric."""
    definition = DEFINITIONS[metric] if isinstance(metric, str) else metric
    return next(each for each in SCALES[definition.unit] if each.name == definition.shown_in)


def fitting(unit: str, value: float) -> Scale:
    """The scale that suits a value which is no metric's, such as the memory of a machine."""
    return next((each for each in SCALES[unit] if abs(value) >= each.factor * 0.9995), SCALES[unit][-1])


def count(number: int) -> str:
    """A whole number with separators between thousands: `12,345`."""
    return f"{number:,}"


def per_thousand(value: float) -> str:
    """A number of errors per 1,000 requests, without the unit."""
    return scale("error_rate").number(value)


def duration(seconds: float) -> str:
    """A duration in seconds as text: `1 h 02 min`, `2 min 05 s`, `3.50 s`."""
    if not math.isfinite(seconds) or seconds < 59.95:
        return fitting("s", seconds).quantity(seconds)
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def change(share: float | None) -> str:
    """A relative change (0.12) with its sign: `+12 %`; `–` for None or NaN."""
    if share is None or math.isnan(share):
        return NOTHING
    if math.isinf(share):
        return f"{'+' if share > 0 else '−'}{INFINITE} %"
    text = f"{abs(share) * 100:,.{0 if abs(share) >= 0.0995 else 1}f}"
    sign = "±" if not float(text.replace(",", "")) else "+" if share > 0 else "−"
    return f"{sign}{text} %"


def _digits(number: float) -> str:
    """Three significant digits, but at least all before the decimal point."""
    size = abs(number)
    if size and size < 0.9995:
        text = f"{size:.3g}"
    else:
        text = f"{size:,.{0 if size >= 99.95 or size == int(size) else 1 if size >= 9.995 else 2}f}"
    return f"−{text}" if number < 0 else text
