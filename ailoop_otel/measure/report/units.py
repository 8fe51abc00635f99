"""Beside the quantities of metrics: units in words, counts, and times and sizes that are of no metric."""

from __future__ import annotations

from typing import Final

from ailoop_otel.measure.results.quantities import INFINITE, NOTHING, UNITS, Scale, percent, scale
from ailoop_otel.measure.results.run import Context
from ailoop_otel.units import count, counted, duration

__all__ = ["INFINITE", "NOTHING", "WORDS", "Scale", "count", "counted", "duration", "fitting", "of_load",
           "per_thousand", "percent", "scale"]  # fmt: skip

_FITTING: Final = {"s": ("s", "ms", "µs"), "By": ("GB", "MB", "kB", "B")}

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


def fitting(unit: str, value: float) -> Scale:
    """The scale that suits a value which is no metric's, such as the memory of a machine."""
    scales = [Scale(name, UNITS[unit][name]) for name in _FITTING[unit]]
    return next((each for each in scales if abs(value) >= each.factor * 0.9995), scales[-1])


def per_thousand(value: float) -> str:
    """A number of errors per 1,000 requests, without the unit."""
    return scale("error_rate").number(value)


def of_load(context: Context) -> str:
    """The unit of the levels of a load curve: messages/s, or sessions."""
    ramp = context.settings.get("ramp")
    is_rate = isinstance(ramp, dict) and ramp.get("of") == "rate"
    return scale("message_rate" if is_rate else "concurrent_sessions").name
