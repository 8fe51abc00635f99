"""The plots of a report. Each is a function that returns a `Plot`, or None if the run has no data for it.

To add a plot:

1. Write a function `(data, size)` for a plot that can be half as wide as the page, else `(data)`. Put it beside similar
   ones (`distribution`, `time_series`) or in a file of its own, as `client_server` is. It gets axes from
   `canvas.panels`, draws on them and returns `canvas.finished(figure, name, title, caption, alt)`; `alt` describes the
   plot in words, for readers who cannot see it.
2. Add it to `HALVES` or `WHOLES` below, at its place in the report.
3. Add its name to the list in tests/measure/report/test_plots.py, whose tests check its SVG, colours and units.

The columns of a metric come from `PlotData.get` or, for what figures are computed from, `PlotData.without_ramp`.
`thinned` and `spaced` limit the number of points. Use the colours of `canvas`, which the page shows light or dark.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot, Size
from ailoop_otel.measure.report.plots.client_server import client_server
from ailoop_otel.measure.report.plots.data import PlotData, plot_data
from ailoop_otel.measure.report.plots.distribution import gaps, latency, timeouts
from ailoop_otel.measure.report.plots.load_ramp import load_ramp
from ailoop_otel.measure.report.plots.time_series import memory, over_time, timeline

# Two halves stand side by side; the last one is as wide as two if it would stand alone.
HALVES: Final[tuple[Callable[[PlotData, Size], Plot | None], ...]] = (latency, load_ramp, client_server, gaps, timeouts)
WHOLES: Final[tuple[Callable[[PlotData], Plot | None], ...]] = (over_time, timeline, memory)


def plots(report: Report) -> list[Plot]:
    """Draw all plots that a run has data for, in the order of the report."""
    data = plot_data(report)
    with canvas.settings():
        halves = [(draw, plot) for draw in HALVES if (plot := draw(data, canvas.HALF)) is not None]
        drawn = [plot for _, plot in halves]
        if len(halves) % 2:
            alone = halves[-1][0](data, canvas.WIDE)
            drawn[-1:] = [alone] if alone else []
        return drawn + [plot for draw in WHOLES if (plot := draw(data)) is not None]
