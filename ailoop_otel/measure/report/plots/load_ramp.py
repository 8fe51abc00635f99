"""The search for a limit (the ramp): latency and errors at each number of sessions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ailoop_otel.measure.report import units
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot
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


def load_ramp(data: PlotData, size: canvas.Size) -> Plot | None:
    """Draw first chunk and error rate over the number of connected sessions, with the limit that was found."""
    levels = load_levels(data)
    if len(levels) < _FEWEST:
        return None
    figure, (upper, lower) = canvas.panels(size, 2, 1)
    sessions = np.array([level.sessions for level in levels])
    p95 = np.array([level.p95 for level in levels])
    known = np.isfinite(p95)
    upper.plot(sessions[known], p95[known], marker="o", markersize=4.5, color=canvas.BLUE, linewidth=1.6)
    log = canvas.needs_log(p95)
    canvas.duration_axis(upper, p95, "y", log=log)
    if not log:
        upper.set_ylim(0, max(float(p95[known].max()) * 1.2, 1e-6) if known.any() else 1)
    infinite = sessions[~known]
    upper.scatter(infinite, np.full(len(infinite), 0.97), marker="^", s=30, color=canvas.RED,
                  transform=upper.get_xaxis_transform())  # fmt: skip
    upper.set_ylabel("First chunk p95")
    errors = np.array([level.errors for level in levels])
    width = float(np.diff(sessions).min()) * 0.7
    lower.bar(sessions, errors, width=width, color=canvas.RED, alpha=0.8, linewidth=0)
    lower.set_ylim(0, max(float(errors.max()) * 1.45, 1.0))
    canvas.unit_axis(lower, definitions.ERROR_RATE.unit, errors, "Errors")
    lower.set_xlabel("Sessions connected (sessions)")
    limit = _limit(data)
    if limit is not None:
        for axes, text in ((upper, ""), (lower, f"stable: {limit:,.0f} sessions")):
            canvas.mark_position(axes, limit, text, colour=canvas.GREEN)
    alt = (
        f"First chunk p95 and errors per 1,000 requests at {len(levels)} numbers of sessions, from "
        f"{sessions[0]:,.0f} to {sessions[-1]:,.0f}. "
        + (f"Largest stable number: {limit:,.0f} sessions." if limit is not None else "No stable number was found.")
    )
    caption = "Failures count as infinitely slow; a triangle on top is a p95 that they reach." if len(infinite) else ""
    count = f"{units.counted(sum(level.n for level in levels), 'exchange')} by the sessions connected when each began."
    return canvas.finished(figure, "ramp", "Sessions against latency and errors", f"{count} {caption}".strip(), alt)


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
