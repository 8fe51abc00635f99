"""The table of a load curve, which all formats share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ailoop_otel.measure.report import units
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.level_figures import LevelFigures
from ailoop_otel.measure.results.run import Context

_TIME: Final = units.scale(definitions.FIRST_CHUNK)
_RATE: Final = units.scale(definitions.RATE)
_ERRORS: Final = units.scale(definitions.ERROR_RATE)
_CAPTION: Final = (
    f"Rates in {_RATE.name}: offered is what was planned, delivered what was sent in time, goodput what met the "
    f"targets; errors are {_ERRORS.name}; times, to the first chunk and to the complete answer, in {_TIME.name}, with "
    "failures as infinitely slow. A level that was not put on says nothing of the server."
)
# Settings of [stable], and what each limits.
_TARGETS: Final = {
    "errors": (_ERRORS, "errors"),
    "first_chunk_p95": (_TIME, "to the first chunk (p95)"),
    "completion_p95": (_TIME, "to the complete answer (p95)"),
}


def unit_of(context: Context) -> str:
    """What the levels of a run are: messages/s, or sessions."""
    ramp = context.settings.get("ramp")
    rate = isinstance(ramp, dict) and ramp.get("of") == "rate"
    return _RATE.name if rate else units.scale(definitions.SESSIONS).name


def head(context: Context) -> tuple[str, ...]:
    """The heads of the columns."""
    times = ("First p50", "First p95", "Complete p50", "Complete p95")
    return (unit_of(context).capitalize(), "Offered", "Delivered", "Goodput", "Errors", *times, "Targets", "Why")


def caption(context: Context) -> str:
    """What a reader must know to read the table, with the targets."""
    stable = context.settings.get("stable")
    limits = stable if isinstance(stable, dict) else {}
    known = ((limits.get(name), scale, words) for name, (scale, words) in _TARGETS.items())
    targets = [f"{scale.quantity(value)} {words}" for value, scale, words in known if isinstance(value, (int, float))]
    return f"{_CAPTION} Targets, at most: {', '.join(targets)}." if targets else _CAPTION


def rows(context: Context) -> Iterator[tuple[str, ...]]:
    """One row for each level; only the last cell is a sentence."""
    yield from map(_row, context.levels)


def _row(level: LevelFigures) -> tuple[str, ...]:
    rates = map(_RATE.number, (level.offered, level.delivered, level.goodput))
    seconds = (level.first_chunk_p50, level.first_chunk_p95, level.completion_p50, level.completion_p95)
    times, why = map(_TIME.number, seconds), level.missed or level.not_put_on
    return (_RATE.number(level.load), *rates, _ERRORS.number(level.errors), *times, level.state, why)
