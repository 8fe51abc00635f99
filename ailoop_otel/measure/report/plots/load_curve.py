"""The load curve: latency, and what was delivered, at each level of the load."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from ailoop_otel.measure.report import wording
from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.report.plots import chart
from ailoop_otel.measure.report.plots.chart import Plot, Spec
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.level_figures import LevelFigures
from ailoop_otel.units import counted

_LATENCIES: Final[tuple[tuple[str, str, Callable[[LevelFigures], float]], ...]] = (
    ("First chunk p50", chart.SKY, lambda level: level.first_chunk_p50),
    ("First chunk p95", chart.BLUE, lambda level: level.first_chunk_p95),
    ("Complete p50", chart.QUIET, lambda level: level.completion_p50),
    ("Complete p95", chart.ORANGE, lambda level: level.completion_p95),
)
_RATES: Final[tuple[tuple[str, str, Callable[[LevelFigures], float]], ...]] = (
    ("Offered", chart.QUIET, lambda level: level.offered),
    ("Delivered", chart.BLUE, lambda level: level.delivered),
    ("Goodput", chart.GREEN, lambda level: level.goodput),
)
CURVE: Final = "curve"


def load_curve(report: Report) -> Plot | None:
    """Draw latencies, and below them rates, over the load of each level, with the largest stable load."""
    context = report.context
    ran = sorted((each for each in context.levels if not each.held), key=lambda each: each.load)
    if len(ran) < 2 or not any(each.messages for each in ran):
        return None
    unit = wording.load_unit(context)
    loads = [each.load for each in ran]
    margin = (loads[-1] - loads[0]) * 0.06
    x = chart.linear("load", loads[0] - margin, loads[-1] + margin, f"Load ({unit})", 9)
    upper, lower = _latencies(ran, x, unit), _rates(ran, x, unit)
    stable = _stable(report)
    if stable:
        upper += chart.rule(stable, "", chart.bare(x), chart.GREEN)
        lower += chart.rule(stable, f"stable: {stable:g} {unit}", x, chart.GREEN)
    found = f"Largest stable load: {stable:g} {unit}." if stable else "No stable load was found."
    alt = (
        f"First chunk, complete answer, delivered rate and goodput at {len(ran)} levels from {loads[0]:g} to "
        f"{loads[-1]:g} {unit}. {found}"
    )
    caption = (
        f"{counted(sum(each.messages for each in ran), 'message')} at {len(ran)} levels. Goodput is what met the "
        "targets."
    )
    if any(math.isinf(take(each)) for each in ran for _, _, take in _LATENCIES):
        caption += " Failures count as infinitely slow; a triangle on top is a percentile that they reach."
    if any(each.not_put_on for each in ran):
        caption += " At a cross the load generator could not put the load on: it says nothing of the server."
    spec = chart.panels(chart.layers(*upper, height=190, zoom="x"), chart.layers(*lower, height=130, zoom="x"))
    return Plot(CURVE, "Load curve", caption, alt, spec, wide=True)


def _latencies(ran: Sequence[LevelFigures], x: Spec, unit: str) -> list[Spec]:
    points = [(name, each, take(each)) for name, _, take in _LATENCIES for each in ran]
    known = [(name, each, value) for name, each, value in points if math.isfinite(value)]
    seconds = np.array([value for _, _, value in known] or [1.0])
    y = chart.durations("seconds", seconds, "Latency", log=chart.needs_log(seconds))
    table = chart.rows(
        load=[each.load for _, each, _ in known], seconds=seconds[: len(known)], series=[name for name, _, _ in known],
        messages=[each.messages for _, each, _ in known], targets=[each.state for _, each, _ in known],
    )  # fmt: skip
    style = {"strokeWidth": 1.6, "point": {"size": 30}}
    line = chart.layer("line", table, chart.bare(x), y, style=style)
    chart.series_colour(line, [name for name, _, _ in _LATENCIES], [colour for _, colour, _ in _LATENCIES])
    shown = {"Series": "datum.series", "Took": chart.duration_text("datum.seconds"), "Messages": "datum.messages"}
    parts = [line, chart.pointed(line, {**_load(unit), **shown, "Targets": "datum.targets"})]
    endless = [(name, each) for name, each, value in points if math.isinf(value)]
    mark = {"shape": "triangle-up", "size": 50}
    top = chart.rows(load=[each.load for _, each in endless], series=[name for name, _ in endless])
    parts.append(chart.layer("point", top, chart.bare(x), {"value": 8}, style=mark, color=line["encoding"]["color"]))
    return [chart.switched(each) for each in parts] + _crosses(ran, chart.bare(x), unit)


def _rates(ran: Sequence[LevelFigures], x: Spec, unit: str) -> list[Spec]:
    points = [(name, each, take(each)) for name, _, take in _RATES for each in ran]
    known = [(name, each, value) for name, each, value in points if math.isfinite(value)]
    values = np.array([value for _, _, value in known])
    y, factor = chart.quantities("rate", definitions.RATE, values, "Messages")
    table = chart.rows(load=[each.load for _, each, _ in known], rate=values / factor,
                       errors=[each.errors for _, each, _ in known], series=[name for name, _, _ in known])  # fmt: skip
    colours = [(name, colour) for name, colour, _ in _RATES if name in {name for name, _, _ in known}]
    colour = chart.coloured([name for name, _ in colours], [colour for _, colour in colours])
    style = {"strokeWidth": 1.6, "point": {"size": 30}}
    line = chart.layer("line", table, x, y, style=style, color=colour)
    shown = {"Series": "datum.series", y["axis"]["title"]: "datum.rate", "Errors per 1,000": "datum.errors"}
    return [line, chart.pointed(line, {**_load(unit), **shown})]


def _crosses(ran: Sequence[LevelFigures], x: Spec, unit: str) -> list[Spec]:
    """The levels that the load generator could not put on."""
    without = [each for each in ran if each.not_put_on]
    if not without:
        return []
    table = chart.rows(load=[each.load for each in without], why=[each.not_put_on for each in without])
    part = chart.layer("point", table, x, {"value": 182}, style={**chart.CROSS, "size": 60})
    return [chart.told(part, {**_load(unit), "Not put on": "datum.why"})]


def _load(unit: str) -> dict[str, str]:
    return {unit.capitalize(): "datum.load"}


def _stable(report: Report) -> float | None:
    for stable in (definitions.STABLE_SESSIONS, definitions.STABLE_RATE):
        row = report.row(stable)
        if row is not None and row.summary.n:
            return row.summary.max
    return None
