"""The plots of a report: one table, each drawn only when there is something to draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ailoop_otel.measure.report.digest import Digest
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot, Size
from ailoop_otel.measure.report.plots.course import over_time, timeline
from ailoop_otel.measure.report.plots.distribution import gaps, latency
from ailoop_otel.measure.report.plots.material import Material, material
from ailoop_otel.measure.report.plots.ramp import ramp
from ailoop_otel.measure.report.plots.resources import memory
from ailoop_otel.measure.report.plots.sides import sides
from ailoop_otel.measure.report.plots.timeouts import timeouts

# Two of these stand side by side, and what stands alone is as wide as both.
HALVES: Final[tuple[Callable[[Material, Size], Plot | None], ...]] = (latency, ramp, sides, gaps, timeouts)
WHOLES: Final[tuple[Callable[[Material], Plot | None], ...]] = (over_time, timeline, memory)


def plots(digest: Digest) -> list[Plot]:
    """Draw all plots that a run has data for."""
    columns = material(digest)
    with canvas.settings():
        halves = [(draw, plot) for draw in HALVES if (plot := draw(columns, canvas.HALF)) is not None]
        found = [plot for _, plot in halves]
        if len(halves) % 2:
            alone = halves[-1][0](columns, canvas.WIDE)
            found[-1:] = [alone] if alone else []
        return found + [plot for draw in WHOLES if (plot := draw(columns)) is not None]
