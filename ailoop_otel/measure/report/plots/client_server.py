"""Latency of the same exchanges as measured by the client and by the server."""

from __future__ import annotations

import numpy as np

from ailoop_otel.measure.report import units
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot
from ailoop_otel.measure.report.plots.data import MOST_POINTS, PlotData, Series
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.statistics.percentiles import Values

_PAIRS = (
    (definitions.FIRST_CHUNK, definitions.SERVER_FIRST_CHUNK, canvas.BLUE, "o"),
    (definitions.COMPLETION, definitions.SERVER_COMPLETION, canvas.ORANGE, "s"),
)
_DIFFERENCES = (definitions.FIRST_CHUNK_DIFFERENCE, definitions.COMPLETION_DIFFERENCE)


def client_server(data: PlotData, size: canvas.Size) -> Plot | None:
    """Draw each exchange by the server's and the client's measurement; above the diagonal the client's is longer."""
    drawn = []
    for client, server, colour, marker in _PAIRS:
        one, other = data.get(client), data.get(server)
        if one is not None and other is not None:
            x, y = _paired(other, one)
            if len(x):
                drawn.append((client.title, x, y, colour, marker))
    if not drawn:
        return None
    figure, (axes,) = canvas.panels(size)
    for title, x, y, colour, marker in drawn:
        kept = np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS // 2)).astype(int)
        axes.scatter(x[kept], y[kept], s=11, marker=marker, color=colour, alpha=0.55, linewidths=0, label=title)
    whole = np.concatenate([part for _, x, y, _, _ in drawn for part in (x, y)])
    canvas.duration_axis(axes, whole, "x")
    canvas.duration_axis(axes, whole, "y")
    axes.plot([whole.min(), whole.max()], [whole.min(), whole.max()], color=canvas.QUIET, linewidth=1)
    axes.set_xlabel("As the server saw it (logarithmic)")
    axes.set_ylabel("As the client saw it (logarithmic)")
    canvas.legend(axes, loc="upper left")
    counted = "; ".join(f"{title}, {units.counted(len(x), 'exchange')}" for title, x, *_ in drawn)
    rows = [row for row in map(data.report.row, _DIFFERENCES) if row is not None and row.summary.n]
    differences = "".join(f" {row.title}: p50 {row.scale.quantity(row.summary.p50)}." for row in rows)
    alt = f"Client's against server's latency of the same exchanges. {counted}.{differences}"
    caption = (
        "On the line both agree. Above it the client waited for what the server did not see: the network, a message "
        f"unread behind a running answer, a load generator that was late.{differences}"
    )
    return canvas.finished(figure, "sides", "Client and server", caption, alt)


def _paired(one: Series, other: Series) -> tuple[Values, Values]:
    """The values of the exchanges that are in both, in the same order."""
    known = {int(number): value for number, value in zip(one.exchange[one.usable], one.values[one.usable], strict=True)}
    pairs = [
        (known[int(number)], value)
        for number, value in zip(other.exchange[other.usable], other.values[other.usable], strict=True)
        if number >= 0 and int(number) in known
    ]
    table = np.maximum(np.array(pairs, dtype=float).reshape(-1, 2), 1e-6)
    return table[:, 0], table[:, 1]
