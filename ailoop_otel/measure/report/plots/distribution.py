"""Distributions: latencies as shares that were reached, gaps between chunks as a histogram."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes

from ailoop_otel.measure.report import units
from ailoop_otel.measure.report.digest import Row
from ailoop_otel.measure.report.outside import plain
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot
from ailoop_otel.measure.report.plots.material import Material
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.statistics.percentiles import Values, histogram_values

# Of these groups the first that was observed: where both clocks were read, another plot holds them side by side.
_GROUPS = (
    (definitions.FIRST_CHUNK, definitions.COMPLETION),
    (definitions.SERVER_FIRST_CHUNK, definitions.SERVER_COMPLETION),
    (
        definitions.LEGACY_SESSION_START, definitions.LEGACY_REPLY, definitions.LEGACY_BURST_REPLY,
        definitions.LEGACY_TIMEOUT, definitions.LEGACY_SESSION_STOP,
    ),
)  # fmt: skip
_MARKED = ("p50", "p95", "p99")
_POINTS = 400
_MOST_STEPS = 6


def latency(material: Material, size: canvas.Size) -> Plot | None:
    """The share of exchanges that were through after each time; failures keep a line from reaching the top."""
    drawn = [(row, values) for row, values in _rows(material) if len(values)]
    if not drawn:
        return None
    figure, (axes,) = canvas.panels(size)
    for number, (row, values) in enumerate(drawn):
        _steps(material, axes, row, values, canvas.SERIES[number % len(canvas.SERIES)])
    canvas.time_axis(axes, np.concatenate([values for _, values in drawn]))
    axes.set_ylim(0, 102)
    axes.set_yticks([0, 25, 50, 75, 90, 100])
    axes.set_ylabel("Share that took no longer (%)")
    axes.set_xlabel("Time (logarithmic)")
    if len(drawn) > 2:
        canvas.legend(axes, loc="lower left", bbox_to_anchor=(0, 1.02), ncols=2, borderaxespad=0)
    else:
        canvas.legend(axes, loc="lower right")
    told = "; ".join(f"{row.title}: {_percentiles(row)}" for row, _ in drawn)
    caption = "Dots mark p50, p95 and p99."
    if any(row.summary.failures for row, _ in drawn):
        caption += " Failures count as infinitely slow: they keep a line below 100 %, and shift its dots."
    alt = f"Cumulative distribution of latencies. {told}."
    return canvas.finished(figure, "latency", "How long it took", caption, alt)


def gaps(material: Material, size: canvas.Size) -> Plot | None:
    """How many gaps between chunks there were of each length."""
    row = material.digest.row(definitions.CHUNK_GAP)
    values, counts = _gaps(material)
    if row is None or not len(values):
        return None
    figure, (axes,) = canvas.panels(size)
    known = np.maximum(values, 1e-6)
    low, high = math.log10(known.min()), math.log10(known.max())
    edges = np.logspace(low - 0.05, high + 0.05, 42)
    heights, _ = np.histogram(known, bins=edges, weights=counts)
    axes.bar(edges[:-1], heights, width=np.diff(edges), align="edge", color=canvas.BLUE, alpha=0.75, linewidth=0)
    canvas.time_axis(axes, known)
    axes.set_yscale("log")
    axes.set_ylim(0.7, max(float(heights.max()) * 3, 10.0))
    canvas.count_axis(axes, "Gaps (count, logarithmic)")
    for line, name in enumerate(_MARKED):
        canvas.mark(axes, max(getattr(row.summary, name), 1e-6), name, line=line)
    axes.set_xlabel("Gap between two chunks (logarithmic)")
    alt = f"Histogram of {units.counted(row.summary.n, 'gap')} between chunks: {_percentiles(row)}."
    caption = f"{units.counted(row.summary.n, 'gap')}; {_percentiles(row)}."
    return canvas.finished(figure, "gaps", "Gaps between chunks", caption, alt)


def _rows(material: Material) -> list[tuple[Row, Values]]:
    """What is worth a line each, with its sorted values."""
    groups = ([row for row in map(material.digest.row, group) if row and row.summary.n] for group in _GROUPS)
    rows = next((group for group in groups if group), [])
    if not rows:
        rows = [row for row in material.digest.rows if row.definition is definitions.STEP and row.summary.n]
        rows = rows[:_MOST_STEPS]
    return [(row, _values(material, row.definition, row.label)) for row in rows]


def _values(material: Material, definition: Definition, label: str) -> Values:
    series = material.steady(definition)
    if series is None:
        return np.array([])
    wanted = series.seen
    if label:
        wanted = wanted & np.array([each.label == label for each in series.rows])
    return np.sort(np.maximum(series.values[wanted], 1e-6))


def _steps(material: Material, axes: Axes, row: Row, values: Values, colour: str) -> None:
    total = len(values) + row.summary.failures
    ranks = np.arange(1, len(values) + 1)
    if len(values) > _POINTS:
        # Even steps, and every value of the tail, where the story is.
        tail = np.arange(len(values) - 50, len(values))
        kept = np.unique(np.append(np.linspace(0, len(values) - 1, _POINTS).astype(int), tail))
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


def _gaps(material: Material) -> tuple[Values, Values]:
    series = material.steady(definitions.CHUNK_GAP)
    if series is not None:
        values = series.values[series.seen]
        return values, np.ones(len(values))
    histogram = material.digest.run.histograms.get(definitions.CHUNK_GAP.name)
    if histogram is None:
        return np.array([]), np.array([])
    values, counts = histogram_values(histogram)
    return values, counts.astype(float)


def _percentiles(row: Row) -> str:
    return ", ".join(f"{name} {row.scale.quantity(getattr(row.summary, name))}" for name in _MARKED)
