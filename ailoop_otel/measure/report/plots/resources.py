"""Memory over time, with sessions and CPU beside it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from ailoop_otel.measure.report.outside import plain
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot
from ailoop_otel.measure.report.plots.material import Material, Series, thinned
from ailoop_otel.measure.results import definitions

_MOST_LINES = 6


def memory(material: Material) -> Plot | None:
    """The server's memory over time, and on the same axis of time sessions and CPU, where they are known."""
    series = material.get(definitions.MEMORY)
    if series is None or series.seen.sum() < 2:
        return None
    beside = [found for found in (material.get(definitions.SESSIONS), material.get(definitions.CPU)) if found]
    figure, axes = canvas.panels((canvas.WIDE[0], 2.9 + 1.35 * len(beside)), 2.2, *(1.2 for _ in beside))
    _line(axes[0], series, canvas.PURPLE, "Server memory")
    for panel, each in zip(axes[1:], beside, strict=True):
        is_sessions = each.definition is definitions.SESSIONS
        _line(panel, each, canvas.GREEN if is_sessions else canvas.ORANGE, "Connected" if is_sessions else "CPU")
    canvas.legend(axes[0], loc="upper left", ncols=3)
    canvas.course_axis(axes[-1], material.times, warmed_up=material.digest.warmup > 0)
    row = material.digest.row(definitions.MEMORY)
    told = f"mean {row.scale.quantity(row.summary.mean)}, at most {row.scale.quantity(row.summary.max)}" if row else ""
    names = "".join(f", with {each.definition.title.lower()} below" for each in beside)
    alt = f"Server memory over time{names}: {told}."
    caption = f"Resident memory of the server and its children: {told}."
    return canvas.finished(figure, "memory", "Memory under load", caption, alt)


def _line(axes: Axes, series: Series, colour: str, label: str) -> None:
    """One line, or one for each process of a server with several."""
    labels = sorted({row.label for row in series.rows})[:_MOST_LINES]
    for number, name in enumerate(labels):
        part = series.only(series.seen & np.array([row.label == name for row in series.rows]))
        at, values = thinned(part.at, part.values)
        line = canvas.SERIES[number % len(canvas.SERIES)] if len(labels) > 1 else colour
        axes.plot(at, values, color=line, linewidth=1.6, drawstyle="steps-post", label=name and plain(name, 20))
        axes.fill_between(at, values, step="post", color=line, alpha=0.12, linewidth=0)
    axes.set_ylim(0, max(float(series.values[series.seen].max()) * 1.12, 1e-9))
    canvas.unit_axis(axes, series.definition.unit, series.values[series.seen], label)
