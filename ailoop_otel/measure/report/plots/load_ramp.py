"""The search for a limit (the ramp): latency and errors at each number of sessions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ailoop_otel.measure.report import units
from ailoop_otel.measure.report.plots import chart
from ailoop_otel.measure.report.plots.chart import Plot
from ailoop_otel.measure.report.plots.data import PlotData, Series
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.statistics.percentiles import Values, percentile

_MOST_LEVELS = 24
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Level:
    """Exchanges that began while about `sessions` sessions were connected.

    `p95` is of the first chunk in seconds, with each failure as infinitely slow; `errors` are per 1,000 exchanges.
    """

    sessions: float
    p95: float
    errors: float
    n: int


def load_ramp(data: PlotData) -> Plot | None:
    """Draw first chunk and error rate over the number of connected sessions, with the limit that was found."""
    levels = load_levels(data)
    if len(levels) < _FEWEST:
        return None
    sessions = np.array([level.sessions for level in levels])
    p95 = np.array([level.p95 for level in levels])
    errors = np.array([level.errors for level in levels])
    step = float(np.diff(sessions).min())
    x = chart.linear(
        "sessions", float(sessions[0]) - step, float(sessions[-1]) + step, "Sessions connected (sessions)", 9
    )
    known, log = np.isfinite(p95), chart.needs_log(p95)
    y = chart.durations("p95", p95, "First chunk p95", log=log)
    points = chart.rows(
        sessions=sessions[known], p95=p95[known], n=[each.n for each in levels if math.isfinite(each.p95)]
    )
    line = chart.layer("line", points, chart.bare(x), y, style={"color": chart.BLUE, "clip": True, "strokeWidth": 1.6,
                                                           "point": {"color": chart.BLUE, "size": 30}})  # fmt: skip
    p95_text = chart.duration_text("datum.p95")
    point = chart.pointed(line, {"Sessions": "datum.sessions", "First chunk p95": p95_text, "Exchanges": "datum.n"})
    style = {"shape": "triangle-up", "filled": True, "size": 50, "color": chart.RED, "clip": True}
    infinite = chart.layer("point", chart.rows(sessions=sessions[~known]), chart.bare(x), {"value": 8}, style=style)
    rate, factor = chart.quantities("rate", definitions.ERROR_RATE, errors, "Errors", room=1.45)
    bars = chart.rows(sessions=sessions - step * 0.35, end=sessions + step * 0.35, rate=errors / factor, at=sessions)
    style = {"color": chart.RED, "opacity": 0.8, "clip": True}
    bar = chart.layer("rect", bars, x, rate, style=style, x2={"field": "end"}, y2={"datum": 0})
    chart.told(bar, {"Sessions": "datum.at", rate["axis"]["title"]: "datum.rate"})
    upper, lower = [line, infinite, point], [bar]
    limit = _limit(data)
    if limit is not None:
        upper += chart.rule(limit, "", chart.bare(x), chart.GREEN)
        lower += chart.rule(limit, f"stable: {limit:,.0f} sessions", x, chart.GREEN)
    alt = (
        f"First chunk p95 and errors per 1,000 requests at {len(levels)} numbers of sessions, from "
        f"{sessions[0]:,.0f} to {sessions[-1]:,.0f}. "
        + (f"Largest stable number: {limit:,.0f} sessions." if limit is not None else "No stable number was found.")
    )
    caption = (
        f"{units.counted(sum(level.n for level in levels), 'exchange')} by the sessions connected when each began."
    )
    if not known.all():
        caption += " Failures count as infinitely slow; a triangle on top is a p95 that they reach."
    spec = chart.panels(chart.layers(*upper, height=150, zoom="x"), chart.layers(*lower, height=96, zoom="x"))
    return Plot("ramp", "Sessions against latency and errors", caption, alt, spec)


def load_levels(data: PlotData) -> list[Level]:
    """The levels of a ramp, by number of sessions; none for a run without a ramp, or without a number of sessions."""
    sessions, latency = data.series.get(definitions.SESSIONS.name), _latency(data)
    if sessions is None or latency is None or not any(row.phase in ("ramp", "hold") for row in latency.rows):
        return []
    counts = _latest(sessions.at, sessions.values, latency.at)
    edges = _edges(counts)
    levels = []
    for low, high in zip(edges, edges[1:], strict=False):
        inside = (counts >= low) & (counts < high)
        if inside.sum():
            levels.append(_level(counts[inside], latency.values[inside], latency.failed[inside]))
    return levels


def _latency(data: PlotData) -> Series | None:
    names = (definitions.FIRST_CHUNK.name, definitions.SERVER_FIRST_CHUNK.name, definitions.COMPLETION.name)
    return next((data.series[name] for name in names if name in data.series), None)


def _latest(at: Values, values: Values, moments: Values) -> Values:
    """The latest value at each moment; the first value for a moment before all."""
    places = np.clip(np.searchsorted(at, moments, side="right") - 1, 0, len(at) - 1)
    taken: Values = values[places]
    return taken


def _edges(counts: Values) -> Values:
    distinct = np.unique(counts[np.isfinite(counts)])
    if len(distinct) > _MOST_LEVELS:
        edges: Values = np.linspace(distinct[0], distinct[-1] + 1, _MOST_LEVELS + 1)
        return edges
    return np.append(distinct, math.inf)


def _level(counts: Values, values: Values, failed: np.ndarray) -> Level:
    slow = np.where(failed, math.inf, values)
    slow = np.sort(slow[~np.isnan(slow)])
    return Level(float(counts.mean()), percentile(slow, 95), 1000 * float(failed.mean()), len(counts))


def _limit(data: PlotData) -> float | None:
    row = data.report.row(definitions.STABLE_SESSIONS)
    return row.summary.max if row is not None and row.summary.n else None
