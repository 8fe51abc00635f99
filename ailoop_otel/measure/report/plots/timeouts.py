"""AI timeouts: how long until each was detected, and until its client was told."""

from __future__ import annotations

import numpy as np

from ailoop_otel.measure.report import units
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot
from ailoop_otel.measure.report.plots.course import spaced
from ailoop_otel.measure.report.plots.material import Material
from ailoop_otel.measure.results import definitions

_ROWS = (
    (definitions.TIMEOUT_DETECTED, "detected"),
    (definitions.TIMEOUT_TOLD, "client told"),
    (definitions.DETECTION_DELAY, "deadline to detected"),
    (definitions.REPORT_DELAY, "detected to told"),
)
_MOST = 300


def timeouts(material: Material, size: canvas.Size) -> Plot | None:
    """Each AI timeout as a dot on one axis of time, a row for each of its metrics, with the medians."""
    drawn = []
    for definition, name in _ROWS:
        series, row = material.steady(definition), material.digest.row(definition)
        if series is not None and row is not None and row.summary.n:
            drawn.append((name, np.maximum(series.values[series.seen], 1e-6), row))
    if not drawn:
        return None
    figure, (axes,) = canvas.panels((size[0], max(1.9, 0.9 + 0.5 * len(drawn))))
    for place, (_, values, row) in enumerate(drawn):
        kept = np.sort(values)[spaced(len(values), _MOST)]
        # Dots side by side would hide each other: each is moved a little, always by the same amount.
        shift = (np.arange(len(kept)) * 0.618 % 1 - 0.5) * 0.36
        axes.scatter(kept, place + shift, s=16, color=canvas.ORANGE, alpha=0.5, linewidths=0)
        axes.plot([row.summary.p50] * 2, [place - 0.3, place + 0.3], color=canvas.INK, linewidth=2)
    canvas.time_axis(axes, np.concatenate([values for _, values, _ in drawn]))
    canvas.positions(axes, [f"{name} ({len(values):,})" for name, values, _ in drawn])
    axes.tick_params(axis="y", labelcolor=canvas.INK)
    axes.set_xlabel("Time (logarithmic)")
    told = "; ".join(f"{row.definition.title}: p50 {row.scale.quantity(row.summary.p50)}, "
                     f"max {row.scale.quantity(row.summary.max)}" for _, _, row in drawn)  # fmt: skip
    alt = f"AI timeouts. {told}."
    caption = f"A dot for each of {units.counted(max(len(values) for _, values, _ in drawn), 'timeout')}, a bar at p50."
    return canvas.finished(figure, "timeouts", "AI timeouts, detected and told", caption, alt)
