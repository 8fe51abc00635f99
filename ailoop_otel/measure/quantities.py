"""Values with their units, as people write and read them: `2 s`, `5 /1000`, `40 kB/session`."""

from __future__ import annotations

import math
import re
from typing import Final

_TIMES: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_SIZES: Final = {
    "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3, "By": 1.0,
}  # fmt: skip
_PER_TIME: Final = {"/s": 1.0, "/min": 1 / 60, "/h": 1 / 3600}

# For each unit of the table of metrics: what it may be written in, and the factor to it.
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
}
_EXAMPLES: Final = {
    "s": "2 s", "By": "200 MB", "By/s": "10 kB/s", "By/{session}": "40 kB/session", "{message}/s": "20 /s",
    "{error}/1000": "5 /1000", "{session}": "50", "{turn}": "10", "1": "80 %",
}  # fmt: skip
# What a value is shown in, largest first.
_SHOWN: Final = {
    "s": (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)),
    "By": (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)),
    "By/s": (("MB/s", 1e6), ("kB/s", 1e3), ("B/s", 1.0)),
    "By/{session}": (("MB/session", 1e6), ("kB/session", 1e3), ("B/session", 1.0)),
    "{message}/s": (("/s", 1.0),),
    "{error}/1000": (("per 1,000", 1.0),),
    "{session}": (("sessions", 1.0),),
    "{turn}": (("turns", 1.0),),
}
_FORMS: Final = 7
_NUMBER: Final = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)", re.DOTALL)


def quantity(text: str, unit: str) -> float:
    """Read a value such as `250 ms` into a metric's unit; ValueError that names the mend for another unit or none."""
    found = _NUMBER.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no value: write {example(unit)}")
    number, written = float(found[1]), _plain(found[2])
    factors = UNITS.get(unit, {unit: 1.0})
    if written not in factors or not math.isfinite(number):
        forms = ", ".join([form for form in factors if form][:_FORMS]) or unit
        problem = f"has the unit {found[2].strip()!r}" if written else "has no unit"
        raise ValueError(f"{text!r} {problem}: write {example(unit)} (units: {forms})")
    return number * factors[written]


def example(unit: str) -> str:
    """How a value of a unit may be written."""
    return f'"{_EXAMPLES.get(unit, f"1 {unit}")}"'


def shown(value: float, unit: str) -> str:
    """A value with three digits and the unit that suits it: `312 ms`; `∞` for what never came."""
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    scales = _SHOWN.get(unit, ((unit if unit != "1" else "", 1.0),))
    name, factor = next((each for each in scales if abs(value) >= each[1] * 0.9995), scales[-1 if value else 0])
    return f"{_digits(value / factor)} {name}".rstrip()


def percent(share: float) -> str:
    """A relative change with its sign: `+12 %`."""
    if math.isinf(share):
        return "+∞ %" if share > 0 else "−∞ %"
    digits = 1 if abs(share) < 0.0995 else 0
    text = f"{abs(share) * 100:,.{digits}f}"
    return f"{'±' if float(text.replace(',', '')) == 0 else '+' if share > 0 else '−'}{text} %"


def _digits(number: float) -> str:
    size = abs(number)
    text = f"{size:,.{0 if size >= 99.95 or size == int(size) else 1 if size >= 9.995 else 2}f}"
    return f"−{text}" if number < 0 else text


def _plain(unit: str) -> str:
    """A unit as the tables have it: `per 1,000` is `/1000`."""
    return re.sub(r"\s+", "", re.sub(r"\bper\b", "/", unit)).replace("1,000", "1000").replace("μ", "µ")
