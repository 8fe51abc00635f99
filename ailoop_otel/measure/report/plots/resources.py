"""Memory over time, with sessions and CPU beside it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from ailoop_otel.measure import definitions
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot
from ailoop_otel.measure.report.plots.material import Material, Series, thinned


def memory(material: Material) -> Plot | None:
    """The server's memory over time, and on the same axis of time sessions and CPU, where they are known."""
    series = material.get(definitions.MEMORY)
    if series is None or series.seen.sum() < 2:
        return None
    beside = [found for found in (material.get(definitions.SESSIONS), material.get(definitions.CPU)) if found]
    figure, axes = canvas.panels((canvas.WIDE[0], 3.0 + 1.1 * len(beside)), 2.4, *(1.0 for _ in beside))
    _line(axes[0], series, canvas.PURPLE, "Server memory")
    for panel, each in zip(axes[1:], beside, strict=True):
        is_sessions = each.definition is definitions.SESSIONS
        _line(panel, each, canvas.GREEN if is_sessions else canvas.ORANGE, "Connected" if is_sessions else "CPU")
    canvas.course_axis(axes[-1], material.times)
    row = material.digest.row(definitions.MEMORY)
    told = f"mean {row.scale.quantity(row.summary.mean)}, at most {row.scale.quantity(row.summary.max)}" if row else ""
    names = "".join(f", with {each.definition.title.lower()} below" for each in beside)
    alt = f"Server memory over time{names}: {told}."
    caption = f"Resident memory of the server and its children: {told}."
    return canvas.finished(figure, "memory", "Memory under load", caption, alt)


def _line(axes: Axes, series: Series, colour: str, label: str) -> None:
    at, values = thinned(series.at[series.seen], series.values[series.seen])
    axes.plot(at, values, color=colour, linewidth=1.6, drawstyle="steps-post")
    axes.fill_between(at, values, step="post", color=colour, alpha=0.12, linewidth=0)
    axes.set_ylim(0, max(float(np.max(values)) * 1.12, 1e-9))
    canvas.unit_axis(axes, series.definition.unit, values, label)
