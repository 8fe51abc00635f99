"""What happened when: latency and answers over time, errors on a timeline."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ailoop_otel.measure.report import units
from ailoop_otel.measure.report.exchanges import Exchange
from ailoop_otel.measure.report.outside import plain
from ailoop_otel.measure.report.plots import canvas
from ailoop_otel.measure.report.plots.canvas import Plot
from ailoop_otel.measure.report.plots.material import MOST, Material, Series, thinned
from ailoop_otel.measure.results import definitions

_LATENCIES = (
    definitions.FIRST_CHUNK,
    definitions.SERVER_FIRST_CHUNK,
    definitions.COMPLETION,
    definitions.SERVER_COMPLETION,
)
_MOST_FAILURES = 500
_MOST_KINDS = 8
_BARS = 60


def over_time(material: Material) -> Plot | None:
    """Each exchange's latency at the moment it began, with failures marked, and below how many began."""
    series = next((found for found in map(material.get, _LATENCIES) if found is not None), None)
    seen = material.digest.seen
    if series is None or len(seen) < 2:
        return None
    figure, (upper, lower) = canvas.panels((canvas.WIDE[0], 4.4), 3, 1)
    values = series.values[series.seen]
    at, drawn = thinned(series.at[series.seen], values)
    upper.scatter(at, drawn, s=9, color=canvas.BLUE, alpha=0.45, linewidths=0, label=series.definition.title)
    _middle(upper, series)
    log = canvas.wide_range(values)
    canvas.time_axis(upper, values, "y", log=log)
    if not log:
        upper.set_ylim(0, max(float(values.max()) * 1.12, 1e-6))
    upper.set_ylabel("Latency (logarithmic)" if log else "Latency")
    failed = _fewer([each.at for each in seen if each.failed])
    if len(failed):
        top = np.full(len(failed), 1.0)
        upper.scatter(
            failed, top, s=26, marker="x", color=canvas.RED, linewidths=1.3, clip_on=False, label="Failed exchange",
            transform=upper.get_xaxis_transform(),
        )  # fmt: skip
    _phases(upper, series)
    canvas.legend(upper, loc="lower left", bbox_to_anchor=(0, 1.02), ncols=4, borderaxespad=0)
    _begun(lower, seen)
    canvas.course_axis(lower, material.times, warmed_up=material.digest.warmup > 0)
    count = sum(each.failed for each in seen)
    alt = (
        f"{series.definition.title} over time: {units.counted(len(values), 'exchange')} as points, "
        f"{units.counted(count, 'failed exchange')} marked above; below, exchanges begun per stretch of time."
    )
    caption = _caption(len(values), count)
    return canvas.finished(figure, "over-time", "Latency over time", caption, alt)


def timeline(material: Material) -> Plot | None:
    """Each failed exchange as a bar from its beginning until its client knew, one row for each kind."""
    failed = [each for each in material.digest.seen if each.failed]
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
    canvas.positions(axes, [f"{plain(kind, 32)} ({len(members):,})" for kind, members in shown])
    axes.tick_params(axis="y", labelcolor=canvas.INK)
    canvas.course_axis(axes, material.times, warmed_up=material.digest.warmup > 0)
    told = ", ".join(f"{plain(kind, 32)} {len(members):,}" for kind, members in shown)
    alt = f"Timeline of {units.counted(len(failed), 'failed exchange')} by kind: {told}."
    caption = "A stroke where an exchange that failed began, and a bar from there for as long as it took."
    if len(rows) > len(shown):
        caption += f" The {len(shown)} most frequent of {len(rows):,} kinds."
    return canvas.finished(figure, "timeline", "Timeouts and errors", caption, alt)


def _middle(axes: Axes, series: Series) -> None:
    """The median of each stretch of time, where there are enough points for one."""
    at, values = series.at[series.seen], series.values[series.seen]
    if len(at) < 40 or at[-1] <= at[0]:
        return
    edges = np.linspace(at[0], at[-1], min(_BARS, len(at) // 10) + 1)
    place = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, len(edges) - 2)
    for name, share, colour in (("p95 of each stretch", 95, canvas.ORANGE), ("p50 of each stretch", 50, canvas.INK)):
        parts = [(edges[k : k + 2].mean(), np.percentile(values[place == k], share, method="inverted_cdf"))
                 for k in range(len(edges) - 1) if (place == k).sum() >= 5]  # fmt: skip
        if len(parts) > 1:
            axes.plot(*zip(*parts, strict=True), color=colour, linewidth=1.4, label=name)


def _phases(axes: Axes, series: Series) -> None:
    """Where the search for a limit ends and its confirmation begins."""
    held = [row.at for row in series.rows if row.phase == "hold"]
    if held and len(held) < len(series.rows):
        canvas.mark(axes, held[0], "hold begins")


def _begun(axes: Axes, seen: tuple[Exchange, ...]) -> None:
    begun = [each.at for each in seen]
    low, high = min(begun), max(*begun, min(begun) + 1e-3)
    edges = np.linspace(low, high, _BARS + 1)
    fine, _ = np.histogram([each.at for each in seen if not each.failed], edges)
    failed, _ = np.histogram([each.at for each in seen if each.failed], edges)
    width = np.diff(edges)
    axes.bar(edges[:-1], fine / width, width * 0.9, align="edge", color=canvas.SKY, linewidth=0)
    axes.bar(edges[:-1], failed / width, width * 0.9, fine / width, align="edge", color=canvas.RED, linewidth=0)
    axes.set_ylabel("Begun (/s)")
    axes.yaxis.set_major_locator(MaxNLocator(3))


def _caption(points: int, failed: int) -> str:
    parts = ["An exchange stands at the moment its message was planned to be sent."]
    if points > MOST:
        parts.append(f"Of {points:,} points the extremes of each stretch are drawn.")
    if failed:
        parts.append("Crosses above are exchanges that failed; below, they are the red parts of the bars.")
    return " ".join(parts)


def _fewer(moments: list[float]) -> np.ndarray:
    return np.array(moments)[spaced(len(moments), _MOST_FAILURES)] if moments else np.array([])


def spaced(number: int, most: int) -> list[int]:
    """At most so many of the places 0 to number - 1, evenly spaced."""
    if number <= most:
        return list(range(number))
    return sorted(set(np.linspace(0, number - 1, most).astype(int).tolist()))
