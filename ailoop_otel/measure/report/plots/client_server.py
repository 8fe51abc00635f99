"""Latency of the same exchanges as measured by the client and by the server."""

from __future__ import annotations

from typing import Any

import numpy as np

from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.report.plots import chart
from ailoop_otel.measure.report.plots.chart import Plot
from ailoop_otel.measure.report.plots.data import MOST_POINTS, Series, series, spaced
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.statistics.percentiles import Values
from ailoop_otel.units import counted

_PAIRS = (
    (definitions.FIRST_CHUNK, definitions.SERVER_FIRST_CHUNK),
    (definitions.COMPLETION, definitions.SERVER_COMPLETION),
)
_DIFFERENCES = (definitions.FIRST_CHUNK_DIFFERENCE, definitions.COMPLETION_DIFFERENCE)


def client_server(report: Report) -> Plot | None:
    """Draw each exchange by the server's and the client's measurement; above the diagonal the client's is longer."""
    drawn = []
    for client, server in _PAIRS:
        one, other = series(report, client), series(report, server)
        if one and other and len(table := _paired(other, one)):
            drawn.append((client.title, table))
    if not drawn:
        return None
    names = [title for title, _ in drawn]
    kept = [table[spaced(len(table), MOST_POINTS // 2)] for _, table in drawn]
    points = np.concatenate(kept)
    columns: dict[str, Any] = {"server": points[:, 0], "client": points[:, 1], "exchange": points[:, 2].astype(int)}
    columns["series"] = [name for name, table in zip(names, kept, strict=True) for _ in table]
    whole = np.concatenate([table[:, :2].ravel() for _, table in drawn])
    ends = [float(whole.min()), float(whole.max())]
    x = chart.durations("server", whole, "As the server saw it (logarithmic)")
    y = chart.durations("client", whole, "As the client saw it (logarithmic)")
    style = {"color": chart.QUIET, "strokeWidth": 1}
    diagonal = chart.layer("line", chart.rows(server=ends, client=ends), x, y, style=style)
    style = {"size": 18, "opacity": 0.55}
    dots = chart.series_colour(chart.layer("point", chart.rows(**columns), x, y, style=style), names)
    sides = {each.capitalize(): chart.duration_text(f"datum.{each}") for each in ("client", "server")}
    point = chart.pointed(dots, {"Series": "datum.series", "Exchange": "datum.exchange", **sides})
    numbers = "; ".join(f"{title}, {counted(len(table), 'exchange')}" for title, table in drawn)
    rows = [row for row in map(report.row, _DIFFERENCES) if row is not None and row.summary.n]
    differences = "".join(f" {row.title}: p50 {row.scale.quantity(row.summary.p50)}." for row in rows)
    alt = f"Client's against server's latency of the same exchanges. {numbers}.{differences}"
    caption = (
        "On the line both agree. Above it the client waited for what the server did not see: the network, a message "
        f"unread behind a running answer, a load generator that was late.{differences}"
    )
    return Plot(
        "sides", "Client and server", caption, alt, chart.layers(chart.switched(dots), diagonal, chart.switched(point))
    )


def _paired(one: Series, other: Series) -> Values:
    """A row for each exchange that is in both: the two values, at least 1 µs, and its number."""
    known = dict(zip(one.exchange.tolist(), one.values, strict=True))
    pairs = [
        (max(known[number], 1e-6), max(value, 1e-6), number)
        for number, value in zip(other.exchange.tolist(), other.values, strict=True)
        if number >= 0 and number in known
    ]
    return np.array(pairs, dtype=float).reshape(-1, 3)
