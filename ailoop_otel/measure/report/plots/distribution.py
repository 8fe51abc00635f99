"""Distributions: latencies as cumulative shares, gaps between chunks as a histogram, AI timeouts as dots."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ailoop_otel.measure.report.contents import Report, Row
from ailoop_otel.measure.report.plots import chart
from ailoop_otel.measure.report.plots.chart import Plot, Spec
from ailoop_otel.measure.report.plots.data import series, spaced
from ailoop_otel.measure.report.text import plain
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.statistics.percentiles import Values, histogram_values
from ailoop_otel.units import counted

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
_MARK_COLUMNS = ("series", "seconds", "share")
_DOT = {"size": 42, "opacity": 1, "stroke": chart.PAPER, "strokeWidth": 1}
_MOST_POINTS = 400
_MOST_STEPS = 6
_MOST_DOTS = 300


def latency(report: Report) -> Plot | None:
    """Draw the share of exchanges that took no longer than each time; failures keep a line below 100 %."""
    drawn = [(row, values) for row, values in _rows(report) if len(values)]
    if not drawn:
        return None
    names = [plain(row.label or row.definition.title, 60) for row, _ in drawn]
    lines = [_steps(row, values) for row, values in drawn]
    named = [name for name, (x, _) in zip(names, lines, strict=True) for _ in x]
    table = chart.rows(
        seconds=np.concatenate([x for x, _ in lines]), share=np.concatenate([y for _, y in lines]), series=named
    )
    marks = [(name, *mark) for name, (row, values) in zip(names, drawn, strict=True) for mark in _marks(row, values)]
    x = chart.durations("seconds", np.concatenate([values for _, values in drawn]), "Time (logarithmic)")
    y = chart.linear("share", 0, 102, "Share that took no longer (%)")
    y["axis"] |= {"values": [0, 25, 50, 75, 90, 100], "tickCount": 6}
    style = {"interpolate": "step-after", "strokeWidth": 1.8}
    line = chart.series_colour(chart.layer("line", table, x, y, style=style), names)
    dots = chart.rows(**{key: [mark[place] for mark in marks] for place, key in enumerate(_MARK_COLUMNS)})
    dot = chart.layer("point", dots, x, y, style=_DOT, color=line["encoding"]["color"])
    share = "format(datum.share, '.1f') + ' %'"
    took = chart.duration_text("datum.seconds")
    point = chart.pointed(line, {"Series": "datum.series", "Took at most": took, "Share": share})
    parts = [line, dot, point]
    percentiles = "; ".join(f"{row.title}: {_percentiles(row)}" for row, _ in drawn)
    caption = "Dots mark p50, p95 and p99."
    if any(row.summary.failures for row, _ in drawn):
        caption += " Failures count as infinitely slow: they keep a line below 100 %, and shift its dots."
    alt = f"Cumulative distribution of latencies. {percentiles}."
    return Plot("latency", "How long it took", caption, alt, chart.layers(*map(chart.switched, parts), zoom="x"))


def gaps(report: Report) -> Plot | None:
    """Draw the number of gaps between chunks of each length."""
    row = report.row(definitions.CHUNK_GAP)
    values, counts = _gaps(report)
    if row is None or not len(values):
        return None
    known = np.maximum(values, 1e-6)
    low, high = math.log10(known.min()), math.log10(known.max())
    edges = np.logspace(low - 0.05, high + 0.05, 42)
    heights, _ = np.histogram(known, bins=edges, weights=counts)
    some = heights > 0
    table = chart.rows(low=edges[:-1][some], high=edges[1:][some], count=heights[some], base=np.full(some.sum(), 0.7))
    x = chart.durations("low", edges, "Gap between two chunks (logarithmic)")
    y = chart.linear("count", 0.7, max(float(heights.max()) * 3, 10.0), "Gaps (count, logarithmic)")
    y["scale"] |= {"type": "log"}
    y["axis"] |= {"values": [10.0**power for power in range(9)], "tickCount": 9}
    ends: Spec = {"x2": {"field": "high"}, "y2": {"field": "base"}}
    bar = chart.layer("rect", table, x, y, style={"color": chart.BLUE, "opacity": 0.75}, **ends)
    limits = {"From": chart.duration_text("datum.low"), "To": chart.duration_text("datum.high")}
    chart.told(bar, {**limits, "Gaps": "datum.count"})
    marks: list[Spec] = []
    for line, name in enumerate(_MARKED):
        marks += chart.rule(max(getattr(row.summary, name), 1e-6), name, x, line=line)
    alt = f"Histogram of {counted(row.summary.n, 'gap')} between chunks: {_percentiles(row)}."
    caption = f"{counted(row.summary.n, 'gap')}; {_percentiles(row)}."
    return Plot("gaps", "Gaps between chunks", caption, alt, chart.layers(bar, *marks, zoom="x"))


def timeouts(report: Report) -> Plot | None:
    """Draw each AI timeout as a dot on an axis of durations, with a row and the median for each metric."""
    drawn = []
    for definition, name in _TIMEOUTS:
        found, row = series(report, definition, steady=True), report.row(definition)
        if found and row and row.summary.n:
            values = np.sort(np.maximum(found.values, 1e-6))
            drawn.append((f"{name} ({len(values):,})", values[spaced(len(values), _MOST_DOTS)], row))
    if not drawn:
        return None
    # Moved up or down a little, so that dots do not hide each other; the golden ratio spreads neighbours evenly.
    table = chart.rows(
        seconds=np.concatenate([values for _, values, _ in drawn]),
        shift=np.concatenate([np.arange(len(values)) * 0.618 % 1 - 0.5 for _, values, _ in drawn]),
        name=[name for name, values, _ in drawn for _ in values],
    )
    medians = chart.rows(seconds=[row.summary.p50 for *_, row in drawn], name=[name for name, *_ in drawn])
    x = chart.durations("seconds", np.concatenate([values for _, values, _ in drawn]), "Time (logarithmic)")
    y = chart.names("name", [name for name, *_ in drawn])
    shift = {"field": "shift", "type": "quantitative", "scale": {"domain": [-1, 1]}}
    style = {"size": 26, "color": chart.ORANGE, "opacity": 0.5}
    dots = chart.layer("point", table, x, y, style=style, yOffset=shift)
    chart.told(dots, {"Took": chart.duration_text("datum.seconds")})
    median = chart.layer("tick", medians, x, y, style={"color": chart.INK, "thickness": 2, "bandSize": 26})
    chart.told(median, {"p50": chart.duration_text("datum.seconds")})
    figures = "; ".join(f"{row.definition.title}: p50 {row.scale.quantity(row.summary.p50)}, "
                        f"max {row.scale.quantity(row.summary.max)}" for *_, row in drawn)  # fmt: skip
    alt = f"AI timeouts. {figures}."
    most = max(row.summary.n for *_, row in drawn)
    caption = f"A dot for each of {counted(most, 'timeout')}, a bar at p50."
    spec = chart.layers(dots, median, height=44 * len(drawn), zoom="x")
    return Plot("timeouts", "AI timeouts, detected and told", caption, alt, spec)


def _rows(report: Report) -> list[tuple[Row, Values]]:
    """The rows that are drawn as a line, with their sorted values in seconds."""
    groups = ([row for row in map(report.row, group) if row and row.summary.n] for group in _LATENCIES)
    rows = next((group for group in groups if group), [])
    if not rows:
        rows = [row for row in report.rows if row.definition is definitions.STEP and row.summary.n][:_MOST_STEPS]
    found = [(row, series(report, row.definition, steady=True)) for row in rows]
    parts = [(row, each.labelled(row.label) if row.label else each) for row, each in found if each]
    return [(row, np.sort(np.maximum(each.values, 1e-6))) for row, each in parts]


def _steps(row: Row, values: Values) -> tuple[Values, Values]:
    """The corners of a cumulative distribution, failures being slower than all: seconds, and per cent."""
    total = len(values) + row.summary.failures
    ranks = np.arange(1, len(values) + 1)
    if len(values) > _MOST_POINTS:
        # Evenly spaced values, and every value of the tail, which is what a reader looks at.
        tail = np.arange(len(values) - 50, len(values))
        kept = np.unique(np.append(np.linspace(0, len(values) - 1, _MOST_POINTS).astype(int), tail))
        values, ranks = values[kept], ranks[kept]
    return np.append(values[0], values), np.append(0.0, 100 * ranks / total)


def _marks(row: Row, values: Values) -> Iterator[tuple[float, float]]:
    """The marked percentiles with failures as infinitely slow, and their places on the line: seconds, and per cent."""
    for name in _MARKED:
        value = row.summary.with_failures[name]
        if math.isfinite(value):
            rank = np.searchsorted(values, max(value, 1e-6), side="right")
            yield max(value, 1e-6), 100 * float(rank) / (len(values) + row.summary.failures)


def _gaps(report: Report) -> tuple[Values, Values]:
    """The lengths of gaps in seconds, and how often each was observed."""
    found = series(report, definitions.CHUNK_GAP, steady=True)
    histogram = report.run.histograms.get(definitions.CHUNK_GAP.name)
    if found or histogram is None:
        values = found.values if found else np.array([])
        return values, np.ones(len(values))
    values, counts = histogram_values(histogram)
    return values, counts.astype(float)


def _percentiles(row: Row) -> str:
    return ", ".join(f"{name} {row.scale.quantity(getattr(row.summary, name))}" for name in _MARKED)
