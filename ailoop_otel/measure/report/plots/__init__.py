"""The plots of a report. Each is a function that returns a `Plot`, or None if the run has no data for it.

To add a plot:

1. Write a function `(report)` beside similar ones (`distribution`, `time_series`) or in a file of its own, as
   `client_server` is. It returns a `Plot` with a specification made of `chart`'s layers; `alt` describes the plot in
   words, for readers who cannot see it.
2. Add it to `HALVES` (half as wide as the page) or `WHOLES` below, at its place in the report.
3. Add its name to the list in tests/measure/report/test_plots.py, whose tests check its SVG, colours and units.

The columns of a metric come from `data.series`; `thinned` and `spaced` limit the number of points. Use the colours of
`chart`, which the page shows light or dark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.report.plots.chart import Plot
from ailoop_otel.measure.report.plots.client_server import client_server
from ailoop_otel.measure.report.plots.distribution import gaps, latency, timeouts
from ailoop_otel.measure.report.plots.load_curve import load_curve
from ailoop_otel.measure.report.plots.time_series import memory, over_time, timeline

HALVES: Final[tuple[Callable[[Report], Plot | None], ...]] = (latency, client_server, gaps, timeouts)
WHOLES: Final[tuple[Callable[[Report], Plot | None], ...]] = (load_curve, over_time, timeline, memory)


def plots(report: Report) -> list[Plot]:
    """All plots that a run has data for, in the order of the report; a half that would stand alone is made whole."""
    halves = [plot for draw in HALVES if (plot := draw(report)) is not None]
    wholes = [plot for draw in WHOLES if (plot := draw(report)) is not None]
    alone = halves[-1:] if len(halves) % 2 else []
    return [*halves[: len(halves) - len(alone)], *(replace(plot, wide=True) for plot in (*alone, *wholes))]
