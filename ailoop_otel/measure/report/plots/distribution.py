"""Distributions: latencies as cumulative shares, gaps between chunks as a histogram, AI timeouts as dots."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes

from ailoop_otel.measure.report import units
from ailoop_otel.measure.report.contents import Row
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot
from ailoop_otel.measure.report.plots.data import PlotData, spaced
from ailoop_otel.measure.report.text import plain
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.statistics.percentiles import Values, histogram_values

# Only the first of these groups that was observed is drawn; both sides of a run that has both are in `client_server`.
_LATENCIES = (
    (definitions.FIRST_CHUNK, definitions.COMPLETION),
    (definitions.SERVER_FIRST_CHUNK, definitions.SERVER_COMPLETION),
    (
        definitions.LEGACY_SESSION_START, definitions.LEGACY_REPLY, definitions.LEGACY_BURST_REPLY,
        definitions.LEGACY_TIMEOUT, definitions.LEGACY_SESSION_STOP,
    ),
)  # fmt: skip
_MARKED = ("p50", "p95", "p99")
_TIMEOUTS = (
    (definitions.TIMEOUT_DETECTED, "detected"),
    (definitions.TIMEOUT_TOLD, "client told"),
    (definitions.DETECTION_DELAY, "deadline to detected"),
    (definitions.REPORT_DELAY, "detected to told"),
)
_MOST_POINTS = 400
_MOST_STEPS = 6
_MOST_DOTS = 300


def latency(data: PlotData, size: canvas.Size) -> Plot | None:
    """Draw the share of exchanges that took no longer than each time; failures keep a line below 100 %."""
    drawn = [(row, values) for row, values in _rows(data) if len(values)]
    if not drawn:
        return None
    figure, (axes,) = canvas.panels(size)
    for number, (row, values) in enumerate(drawn):
        _steps(data, axes, row, values, canvas.SERIES[number % len(canvas.SERIES)])
    canvas.duration_axis(axes, np.concatenate([values for _, values in drawn]))
    axes.set_ylim(0, 102)
    axes.set_yticks([0, 25, 50, 75, 90, 100])
    axes.set_ylabel("Share that took no longer (%)")
    axes.set_xlabel("Time (logarithmic)")
    if len(drawn) > 2:
        canvas.legend(axes, loc="lower left", bbox_to_anchor=(0, 1.02), ncols=2, borderaxespad=0)
    else:
        canvas.legend(axes, loc="lower right")
    percentiles = "; ".join(f"{row.title}: {_percentiles(row)}" for row, _ in drawn)
    caption = "Dots mark p50, p95 and p99."
    if any(row.summary.failures for row, _ in drawn):
        caption += " Failures count as infinitely slow: they keep a line below 100 %, and shift its dots."
    alt = f"Cumulative distribution of latencies. {percentiles}."
    return canvas.finished(figure, "latency", "How long it took", caption, alt)


def gaps(data: PlotData, size: canvas.Size) -> Plot | None:
    """Draw the number of gaps between chunks of each length."""
    row = data.report.row(definitions.CHUNK_GAP)
    values, counts = _gaps(data)
    if row is None or not len(values):
        return None
    figure, (axes,) = canvas.panels(size)
    known = np.maximum(values, 1e-6)
    low, high = math.log10(known.min()), math.log10(known.max())
    edges = np.logspace(low - 0.05, high + 0.05, 42)
    heights, _ = np.histogram(known, bins=edges, weights=counts)
    axes.bar(edges[:-1], heights, width=np.diff(edges), align="edge", color=canvas.BLUE, alpha=0.75, linewidth=0)
    canvas.duration_axis(axes, known)
    axes.set_yscale("log")
    axes.set_ylim(0.7, max(float(heights.max()) * 3, 10.0))
    canvas.count_axis(axes, "Gaps (count, logarithmic)")
    for line, name in enumerate(_MARKED):
        canvas.mark_position(axes, max(getattr(row.summary, name), 1e-6), name, line=line)
    axes.set_xlabel("Gap between two chunks (logarithmic)")
    alt = f"Histogram of {units.counted(row.summary.n, 'gap')} between chunks: {_percentiles(row)}."
    caption = f"{units.counted(row.summary.n, 'gap')}; {_percentiles(row)}."
    return canvas.finished(figure, "gaps", "Gaps between chunks", caption, alt)


def timeouts(data: PlotData, size: canvas.Size) -> Plot | None:
    """Draw each AI timeout as a dot on an axis of durations, with a row and the median for each metric."""
    drawn = []
    for definition, name in _TIMEOUTS:
        series, row = data.without_ramp(definition), data.report.row(definition)
        if series is not None and row is not None and row.summary.n:
            drawn.append((name, np.maximum(series.values[series.usable], 1e-6), row))
    if not drawn:
        return None
    figure, (axes,) = canvas.panels((size[0], max(1.9, 0.9 + 0.5 * len(drawn))))
    for place, (_, values, row) in enumerate(drawn):
        kept = np.sort(values)[spaced(len(values), _MOST_DOTS)]
        # Moved up or down a little, so that dots do not hide each other; the golden ratio spreads neighbours evenly.
        shift = (np.arange(len(kept)) * 0.618 % 1 - 0.5) * 0.36
        axes.scatter(kept, place + shift, s=16, color=canvas.ORANGE, alpha=0.5, linewidths=0)
        axes.plot([row.summary.p50] * 2, [place - 0.3, place + 0.3], color=canvas.INK, linewidth=2)
    canvas.duration_axis(axes, np.concatenate([values for _, values, _ in drawn]))
    canvas.name_rows(axes, [f"{name} ({len(values):,})" for name, values, _ in drawn])
    axes.tick_params(axis="y", labelcolor=canvas.INK)
    axes.set_xlabel("Time (logarithmic)")
    figures = "; ".join(f"{row.definition.title}: p50 {row.scale.quantity(row.summary.p50)}, "
                        f"max {row.scale.quantity(row.summary.max)}" for _, _, row in drawn)  # fmt: skip
    alt = f"AI timeouts. {figures}."
    caption = f"A dot for each of {units.counted(max(len(values) for _, values, _ in drawn), 'timeout')}, a bar at p50."
    return canvas.finished(figure, "timeouts", "AI timeouts, detected and told", caption, alt)


def _rows(data: PlotData) -> list[tuple[Row, Values]]:
    """The rows that are drawn as a line, with their sorted values in seconds."""
    groups = ([row for row in map(data.report.row, group) if row and row.summary.n] for group in _LATENCIES)
    rows = next((group for group in groups if group), [])
    if not rows:
        rows = [row for row in data.report.rows if row.definition is definitions.STEP and row.summary.n]
        rows = rows[:_MOST_STEPS]
    return [(row, _values(data, row.definition, row.label)) for row in rows]


def _values(data: PlotData, definition: Definition, label: str) -> Values:
    series = data.without_ramp(definition)
    if series is None:
        return np.array([])
    wanted = series.usable
    if label:
        wanted = wanted & np.array([each.label == label for each in series.rows])
    return np.sort(np.maximum(series.values[wanted], 1e-6))


def _steps(data: PlotData, axes: Axes, row: Row, values: Values, colour: str) -> None:
    total = len(values) + row.summary.failures
    ranks = np.arange(1, len(values) + 1)
    if len(values) > _MOST_POINTS:
        # Evenly spaced values, and every value of the tail, which is what a reader looks at.
        tail = np.arange(len(values) - 50, len(values))
        kept = np.unique(np.append(np.linspace(0, len(values) - 1, _MOST_POINTS).astype(int), tail))
        values, ranks = values[kept], ranks[kept]
    title = plain(row.label or row.definition.title, 60)
    x, y = np.append(values[0], values), np.append(0, 100 * ranks / total)
    axes.plot(x, y, drawstyle="steps-post", color=colour, linewidth=1.8, label=title)
    for name in _MARKED:
        value = row.summary.with_failures[name]
        if math.isfinite(value):
            share = 100 * np.searchsorted(values, value, side="right")
            place = y[1:][min(int(share / 100), len(values)) - 1]
            axes.plot([max(value, 1e-6)], [place], marker="o", markersize=5, color=colour, markeredgecolor=canvas.PAPER)


def _gaps(data: PlotData) -> tuple[Values, Values]:
    series = data.without_ramp(definitions.CHUNK_GAP)
    if series is not None:
        values = series.values[series.usable]
        return values, np.ones(len(values))
    histogram = data.report.run.histograms.get(definitions.CHUNK_GAP.name)
    if histogram is None:
        return np.array([]), np.array([])
    values, counts = histogram_values(histogram)
    return values, counts.astype(float)


def _percentiles(row: Row) -> str:
    return ", ".join(f"{name} {row.scale.quantity(getattr(row.summary, name))}" for name in _MARKED)
