"""The picture of a soak: memory of both servers, what waits on disk and what has arrived; an SVG, light or dark."""

from __future__ import annotations

from typing import Any

import numpy as np

from ailoop_otel.measure.report.plots import canvas
from tests.soak.run import DOWN, REFUSES

_STYLE = """<style>
svg { font-family: system-ui, sans-serif;
  --ink: #1f2328; --quiet: #59636e; --grid: #d1d9e0; --paper: #ffffff; --blue: #0969da; --orange: #bc4c00;
  --green: #1a7f37; --purple: #8250df; --red: #cf222e; --sky: #218bff; }
@media (prefers-color-scheme: dark) { svg {
  --ink: #e6edf3; --quiet: #9198a1; --grid: #3d444d; --paper: #0d1117; --blue: #4493f8; --orange: #f0883e;
  --green: #3fb950; --purple: #ab7df8; --red: #f85149; --sky: #58a6ff; } }
</style>"""
_ALT = "Memory of the server with the package and without, bytes that wait on disk, and messages that have arrived"


def draw(soak: dict[str, Any]) -> str:
    """The picture of a result, as it is kept."""
    samples = soak["samples"]
    column = {name: np.array([sample[name] for sample in samples], dtype=float) for name in samples[0]}
    at = column["at"]
    with canvas.settings():
        figure, (memory, waiting, delivered) = canvas.panels((10.6, 5.4), 3, 1.4, 1.4)
        memory.plot(at, column["memory"], color=canvas.BLUE, label="with ailoop-otel")
        memory.plot(at, column["memory_without"], color=canvas.QUIET, label="without")
        canvas.unit_axis(memory, "By", column["memory"], "Memory")
        memory.set_ylim(bottom=0)
        waiting.plot(at, column["waiting"], color=canvas.ORANGE)
        canvas.unit_axis(waiting, "By", column["waiting"], "On disk")
        delivered.plot(at, column["delivered"], color=canvas.GREEN)
        canvas.count_axis(delivered, "Messages\narrived")
        canvas.time_axis(delivered, at)
        for panel in (memory, waiting, delivered):
            for begin, end in (DOWN, REFUSES):
                panel.axvspan(begin * soak["seconds"], end * soak["seconds"], color=canvas.RED, alpha=0.08, linewidth=0)
        for (begin, _), text in ((DOWN, "nobody listens"), (REFUSES, "answers 503")):
            canvas.mark_position(memory, begin * soak["seconds"], text)
        canvas.legend(memory, loc="lower right", ncols=2)
        figure.align_ylabels()
        drawn = canvas.svg(figure, "soak", _ALT)
    head, _, rest = drawn.removeprefix("<svg").partition(">")
    return f'<svg xmlns="http://www.w3.org/2000/svg"{head}>{_STYLE}{rest}\n'
