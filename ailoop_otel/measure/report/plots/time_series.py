"""Plots over the time of a run: latency and load, failures, and the server's memory, sessions and CPU."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ailoop_otel.measure.report import units
from ailoop_otel.measure.report.exchanges import Exchange
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot
from ailoop_otel.measure.report.plots.data import MOST_POINTS, PlotData, Series, spaced, thinned
from ailoop_otel.measure.report.text import plain
from ailoop_otel.measure.results import definitions

_LATENCIES = (
    definitions.FIRST_CHUNK,
    definitions.SERVER_FIRST_CHUNK,
    definitions.COMPLETION,
    definitions.SERVER_COMPLETION,
)
_MOST_FAILURES = 500
_MOST_KINDS = 8
_MOST_LINES = 6
_STRETCHES = 60


def over_time(data: PlotData) -> Plot | None:
    """Draw each exchange's latency at its start with failures marked, and below how many exchanges began per second."""
    series = next((each for each in map(data.get, _LATENCIES) if each is not None), None)
    exchanges = data.report.exchanges_with_ramp
    if series is None or len(exchanges) < 2:
        return None
    figure, (upper, lower) = canvas.panels((canvas.WIDE[0], 4.4), 3, 1)
    values = series.values[series.usable]
    at, drawn = thinned(series.at[series.usable], values)
    upper.scatter(at, drawn, s=9, color=canvas.BLUE, alpha=0.45, linewidths=0, label=series.definition.title)
    _percentiles(upper, series)
    log = canvas.needs_log(values)
    canvas.duration_axis(upper, values, "y", log=log)
    if not log:
        upper.set_ylim(0, max(float(values.max()) * 1.12, 1e-6))
    upper.set_ylabel("Latency (logarithmic)" if log else "Latency")
    failed = _fewer([each.at for each in exchanges if each.failed])
    if len(failed):
        top = np.full(len(failed), 1.0)
        upper.scatter(
            failed, top, s=26, marker="x", color=canvas.RED, linewidths=1.3, clip_on=False, label="Failed exchange",
            transform=upper.get_xaxis_transform(),
        )  # fmt: skip
    _mark_hold(upper, series)
    canvas.legend(upper, loc="lower left", bbox_to_anchor=(0, 1.02), ncols=4, borderaxespad=0)
    _begun(lower, exchanges)
    canvas.time_axis(lower, data.times, warmed_up=data.report.warmup > 0)
    count = sum(each.failed for each in exchanges)
    alt = (
        f"{series.definition.title} over time: {units.counted(len(values), 'exchange')} as points, "
        f"{units.counted(count, 'failed exchange')} marked above; below, exchanges begun per stretch of time."
    )
    caption = _caption(len(values), count)
    return canvas.finished(figure, "over-time", "Latency over time", caption, alt)


def timeline(data: PlotData) -> Plot | None:
    """Draw each failed exchange as a bar from its start to its end, one row for each outcome."""
    failed = [each for each in data.report.exchanges_with_ramp if each.failed]
    if not failed:
        return None
    kinds: dict[str, list[Exchange]] = {}
    for each in failed:
        kinds.setdefault(each.outcome, []).append(each)
    rows = sorted(kinds.items(), key=lambda item: -len(item[1]))
    shown = rows[:_MOST_KINDS]
    figure, (axes,) = canvas.panels((canvas.WIDE[0], 1.1 + 0.36 * len(shown)))
    for place, (_, members) in enumerate(shown):
        kept = [members[number] for number in spaced(len(members), _MOST_FAILURES)]
        begun = [each.at for each in kept]
        ended = [each.at + each.seconds for each in kept]
        canvas.strokes(axes, begun, ended, [place] * len(kept), [place] * len(kept), alpha=0.4, linewidth=7)
        canvas.strokes(axes, begun, begun, [place - 0.2] * len(kept), [place + 0.2] * len(kept), linewidth=1.2)
    canvas.name_rows(axes, [f"{plain(kind, 32)} ({len(members):,})" for kind, members in shown])
    axes.tick_params(axis="y", labelcolor=canvas.INK)
    canvas.time_axis(axes, data.times, warmed_up=data.report.warmup > 0)
    counts = ", ".join(f"{plain(kind, 32)} {len(members):,}" for kind, members in shown)
    alt = f"Timeline of {units.counted(len(failed), 'failed exchange')} by kind: {counts}."
    caption = "A stroke where an exchange that failed began, and a bar from there for as long as it took."
    if len(rows) > len(shown):
        caption += f" The {len(shown)} most frequent of {len(rows):,} kinds."
    return canvas.finished(figure, "timeline", "Timeouts and errors", caption, alt)


def memory(data: PlotData) -> Plot | None:
    """Draw the server's memory, and below it on the same axis of time sessions and CPU if they are known."""
    series = data.get(definitions.MEMORY)
    if series is None or series.usable.sum() < 2:
        return None
    others = [each for each in (data.get(definitions.SESSIONS), data.get(definitions.CPU)) if each]
    figure, axes = canvas.panels((canvas.WIDE[0], 2.9 + 1.35 * len(others)), 2.2, *(1.2 for _ in others))
    _line(axes[0], series, canvas.PURPLE, "Server memory")
    for panel, each in zip(axes[1:], others, strict=True):
        is_sessions = each.definition is definitions.SESSIONS
        _line(panel, each, canvas.GREEN if is_sessions else canvas.ORANGE, "Connected" if is_sessions else "CPU")
    canvas.legend(axes[0], loc="upper left", ncols=3)
    canvas.time_axis(axes[-1], data.times, warmed_up=data.report.warmup > 0)
    row = data.report.row(definitions.MEMORY)
    sizes = f"mean {row.scale.quantity(row.summary.mean)}, at most {row.scale.quantity(row.summary.max)}" if row else ""
    names = "".join(f", with {each.definition.title.lower()} below" for each in others)
    alt = f"Server memory over time{names}: {sizes}."
    caption = f"Resident memory of the server and its children: {sizes}."
    return canvas.finished(figure, "memory", "Memory under load", caption, alt)


def _percentiles(axes: Axes, series: Series) -> None:
    """Draw p95 and p50 of each stretch of time that has enough points."""
    at, values = series.at[series.usable], series.values[series.usable]
    if len(at) < 40 or at[-1] <= at[0]:
        return
    edges = np.linspace(at[0], at[-1], min(_STRETCHES, len(at) // 10) + 1)
    place = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, len(edges) - 2)
    for name, share, colour in (("p95 of each stretch", 95, canvas.ORANGE), ("p50 of each stretch", 50, canvas.INK)):
        parts = [(edges[k : k + 2].mean(), np.percentile(values[place == k], share, method="inverted_cdf"))
                 for k in range(len(edges) - 1) if (place == k).sum() >= 5]  # fmt: skip
        if len(parts) > 1:
            axes.plot(*zip(*parts, strict=True), color=colour, linewidth=1.4, label=name)


def _mark_hold(axes: Axes, series: Series) -> None:
    """Mark the time at which the search for a limit ends and the hold begins."""
    hold = [row.at for row in series.rows if row.phase == "hold"]
    if hold and len(hold) < len(series.rows):
        canvas.mark_position(axes, hold[0], "hold begins")


def _begun(axes: Axes, exchanges: tuple[Exchange, ...]) -> None:
    begun = [each.at for each in exchanges]
    low, high = min(begun), max(*begun, min(begun) + 1e-3)
    edges = np.linspace(low, high, _STRETCHES + 1)
    succeeded, _ = np.histogram([each.at for each in exchanges if not each.failed], edges)
    failed, _ = np.histogram([each.at for each in exchanges if each.failed], edges)
    width = np.diff(edges)
    axes.bar(edges[:-1], succeeded / width, width * 0.9, align="edge", color=canvas.SKY, linewidth=0)
    axes.bar(edges[:-1], failed / width, width * 0.9, succeeded / width, align="edge", color=canvas.RED, linewidth=0)
    axes.set_ylabel("Begun (/s)")
    axes.yaxis.set_major_locator(MaxNLocator(3))


def _caption(points: int, failed: int) -> str:
    parts = ["An exchange stands at the moment its message was planned to be sent."]
    if points > MOST_POINTS:
        parts.append(f"Of {points:,} points the extremes of each stretch are drawn.")
    if failed:
        parts.append("Crosses above are exchanges that failed; below, they are the red parts of the bars.")
    return " ".join(parts)


def _fewer(moments: list[float]) -> np.ndarray:
    return np.array(moments)[spaced(len(moments), _MOST_FAILURES)] if moments else np.array([])


def _line(axes: Axes, series: Series, colour: str, label: str) -> None:
    """Draw one line, or one for each process of a server that has several."""
    labels = sorted({row.label for row in series.rows})[:_MOST_LINES]
    for number, name in enumerate(labels):
        part = series.only(series.usable & np.array([row.label == name for row in series.rows]))
        at, values = thinned(part.at, part.values)
        line = canvas.SERIES[number % len(canvas.SERIES)] if len(labels) > 1 else colour
        axes.plot(at, values, color=line, linewidth=1.6, drawstyle="steps-post", label=name and plain(name, 20))
        axes.fill_between(at, values, step="post", color=line, alpha=0.12, linewidth=0)
    axes.set_ylim(0, max(float(series.values[series.usable].max()) * 1.12, 1e-9))
    canvas.unit_axis(axes, series.definition.unit, series.values[series.usable], label)
