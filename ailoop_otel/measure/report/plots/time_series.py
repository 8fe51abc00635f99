"""Plots over the time of a run: latency and load, failures, and the server's memory, sessions and CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.report.exchanges import Exchange
from ailoop_otel.measure.report.plots import chart
from ailoop_otel.measure.report.plots.chart import Plot, Spec
from ailoop_otel.measure.report.plots.data import MOST_POINTS, Series, series, spaced, thinned, times
from ailoop_otel.measure.report.text import plain
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.statistics.percentiles import Values
from ailoop_otel.units import counted

_LATENCIES = (
    definitions.FIRST_CHUNK,
    definitions.SERVER_FIRST_CHUNK,
    definitions.COMPLETION,
    definitions.SERVER_COMPLETION,
)
# Of each plot.
_MOST_FAILURES = 300
_MOST_KINDS = 8
_MOST_LINES = 6
_STRETCHES = 60
# Colour and axis title of each line of the plot of memory.
_LINES = {
    definitions.MEMORY.name: (chart.PURPLE, "Server memory"),
    definitions.SESSIONS.name: (chart.GREEN, "Connected"),
    definitions.CPU.name: (chart.ORANGE, "CPU"),
}
_FAILED = "Failed exchange"


def over_time(report: Report) -> Plot | None:
    """Draw each exchange's latency at its start with failures marked, and below how many exchanges began per second."""
    usable = next((found for each in _LATENCIES if (found := series(report, each))), None)
    exchanges = report.exchanges_with_ramp
    if usable is None or len(exchanges) < 2:
        return None
    title = usable.definition.title
    log = chart.needs_log(usable.values)
    x = chart.times("at", times(report))
    y = chart.durations("seconds", usable.values, "Latency (logarithmic)" if log else "Latency", log=log)
    failed = [each for each in exchanges if each.failed]
    lines = _percentiles(usable.at, usable.values)
    colours = {title: chart.BLUE} | {name: colour for name, colour, _ in lines}
    colours |= {_FAILED: chart.RED} if failed else {}
    dots, point = _dots(usable, x, y, colours)
    upper = [dots]
    for name, colour, (at, seconds) in lines:
        points = chart.rows(at=at, seconds=seconds, series=[name] * len(at))
        style = {"color": colour, "strokeWidth": 1.5}
        upper.append(chart.layer("line", points, chart.bare(x), y, style=style))
    upper += [point, _crosses(failed, x)]
    hold = [row.at for row in usable.rows if row.phase == "hold"]
    marks = chart.rule(hold[0], "hold begins", chart.bare(x), line=1) if hold and len(hold) < len(usable.rows) else []
    alt = (
        f"{title} over time: {counted(len(usable.values), 'exchange')} as points, "
        f"{counted(len(failed), 'failed exchange')} marked above; below, exchanges begun per stretch of time."
    )
    caption = _caption(report, len(usable.values), len(failed)) + _warm_up(report)
    spec = chart.panels(
        chart.layers(*map(chart.switched, upper), *marks, height=220, zoom="x"),
        chart.layers(_begun(exchanges, x), height=80, zoom="x"),
    )
    return Plot("over-time", "Latency over time", caption, alt, spec)


def timeline(report: Report) -> Plot | None:
    """Draw each failed exchange as a bar from its start to its end, one row for each outcome."""
    failed = [each for each in report.exchanges_with_ramp if each.failed]
    if not failed:
        return None
    kinds: dict[str, list[Exchange]] = {}
    for each in failed:
        kinds.setdefault(each.outcome, []).append(each)
    found = sorted(kinds.items(), key=lambda item: -len(item[1]))
    shown = [(f"{plain(kind, 32)} ({len(members):,})", members) for kind, members in found[:_MOST_KINDS]]
    kept = [
        (name, members[number])
        for name, members in shown
        for number in spaced(len(members), _MOST_FAILURES // len(shown))
    ]
    table = chart.rows(
        kind=[name for name, _ in kept], begun=[each.at for _, each in kept],
        ended=[each.at + each.seconds for _, each in kept], exchange=[each.number for _, each in kept],
    )  # fmt: skip
    x = chart.times("begun", times(report))
    y = chart.names("kind", [name for name, _ in shown])
    style = {"color": chart.RED, "opacity": 0.4, "height": 8}
    bar = chart.layer("bar", table, x, y, style=style, x2={"field": "ended"})
    tick = chart.layer("tick", table, x, y, style={"color": chart.RED, "thickness": 1.2, "bandSize": 16})
    took = chart.duration_text("(datum.ended - datum.begun)")
    for part in (bar, tick):
        chart.told(part, {**_exchange("begun"), "Took": took})
    counts = ", ".join(f"{plain(kind, 32)} {len(members):,}" for kind, members in found[:_MOST_KINDS])
    alt = f"Timeline of {counted(len(failed), 'failed exchange')} by kind: {counts}."
    caption = "A stroke where an exchange that failed began, and a bar from there for as long as it took."
    if len(found) > len(shown):
        caption += f" The {len(shown)} most frequent of {len(found):,} kinds."
    caption += _warm_up(report)
    spec = chart.layers(bar, tick, height=28 * len(shown), zoom="x")
    return Plot("timeline", "Timeouts and errors", caption, alt, spec)


def memory(report: Report) -> Plot | None:
    """Draw the server's memory, and below it on the same axis of time sessions and CPU if they are known."""
    own = series(report, definitions.MEMORY)
    if own is None or len(own.rows) < 2:
        return None
    others = [found for each in (definitions.SESSIONS, definitions.CPU) if (found := series(report, each))]
    x = chart.times("at", times(report))
    views = []
    for each in (own, *others):
        colour, label = _LINES[each.definition.name]
        axis = x if each is (others[-1] if others else own) else chart.bare(x)
        views.append(_lines(each, axis, colour, label, 150 if each is own else 112))
    row = report.row(definitions.MEMORY)
    sizes = f"mean {row.scale.quantity(row.summary.mean)}, at most {row.scale.quantity(row.summary.max)}" if row else ""
    below = "".join(f", with {each.definition.title.lower()} below" for each in others)
    alt = f"Server memory over time{below}: {sizes}."
    whose = "the server's process" if report.context.source == "telemetry" else "the server and its children"
    caption = f"Resident memory of {whose}: {sizes}.{_warm_up(report)}"
    return Plot("memory", "Memory under load", caption, alt, chart.panels(*views))


def _dots(usable: Series, x: Spec, y: Spec, colours: dict[str, str]) -> tuple[Spec, Spec]:
    """The exchanges that succeeded, in the first of the colours, and the layer for pointing at them."""
    kept = thinned(usable.at, usable.values)
    table = chart.rows(at=usable.at[kept], seconds=usable.values[kept], exchange=usable.exchange[kept],
                       series=[usable.definition.title] * len(kept))  # fmt: skip
    style = {"size": 16, "opacity": 0.45}
    dots = chart.layer("point", table, chart.bare(x), y, style=style)
    chart.series_colour(dots, list(colours), list(colours.values()))
    return dots, chart.pointed(dots, {**_exchange("at"), "Took": chart.duration_text("datum.seconds")})


def _crosses(failed: list[Exchange], x: Spec) -> Spec:
    """The exchanges that failed, above the others."""
    kept = [failed[number] for number in spaced(len(failed), _MOST_FAILURES)]
    table = chart.rows(at=[each.at for each in kept], outcome=[plain(each.outcome, 60) for each in kept],
                       exchange=[each.number for each in kept], series=[_FAILED] * len(kept))  # fmt: skip
    part = chart.layer("point", table, chart.bare(x), {"value": 6}, style={**chart.CROSS, "size": 40})
    return chart.told(part, {**_exchange("at"), "Outcome": "datum.outcome"})


def _exchange(begun: str) -> dict[str, str]:
    """What each exchange shows that is pointed at, with the field of its start."""
    return {"Exchange": "datum.exchange", "Began after": chart.moment_text(f"datum.{begun}")}


def _percentiles(at: Values, values: Values) -> list[tuple[str, str, tuple[Values, Values]]]:
    """Name, colour and points of p95 and p50 over time, of stretches of equally many exchanges."""
    if len(at) < 40:
        return []
    stretches = np.array_split(np.arange(len(at)), min(_STRETCHES, len(at) // 10))
    middles = np.array([at[stretch].mean() for stretch in stretches])
    found = []
    for name, share, colour in (("p95 of each stretch", 95, chart.ORANGE), ("p50 of each stretch", 50, chart.INK)):
        parts = [np.percentile(values[stretch], share, method="inverted_cdf") for stretch in stretches]
        found.append((name, colour, (middles, np.array(parts))))
    return found


def _begun(exchanges: tuple[Exchange, ...], x: Spec) -> Spec:
    """Bars of how many exchanges began per second, those that failed on top."""
    begun = [each.at for each in exchanges]
    low, high = min(begun), max(*begun, min(begun) + 1e-3)
    edges = np.linspace(low, high, _STRETCHES + 1)
    succeeded, _ = np.histogram([each.at for each in exchanges if not each.failed], edges)
    failed, _ = np.histogram([each.at for each in exchanges if each.failed], edges)
    width = edges[1] - edges[0]
    whole = np.concatenate([succeeded, failed]) / width
    bottom = np.concatenate([np.zeros(len(succeeded)), succeeded / width])
    table = chart.rows(
        at=np.tile(edges[:-1] + width * 0.05, 2), end=np.tile(edges[1:] - width * 0.05, 2), bottom=bottom,
        top=bottom + whole, rate=whole, series=["Succeeded"] * len(succeeded) + [_FAILED] * len(failed),
    )  # fmt: skip
    table["values"] = [each for each in table["values"] if each["rate"]]
    y = chart.linear("top", 0, float((succeeded + failed).max() / width) * 1.1, "Begun (/s)", 3)
    bar = chart.layer(
        "rect", table, x, y, x2={"field": "end"}, y2={"field": "bottom"},
        color=chart.coloured(("Succeeded", _FAILED), (chart.SKY, chart.RED)) | {"legend": None},
    )  # fmt: skip
    after, rate = chart.moment_text("datum.at"), "format(datum.rate, ',.3~r')"
    return chart.told(bar, {"Exchanges": "datum.series", "From": after, "Begun per second": rate})


def _warm_up(report: Report) -> str:
    """What a caption says of the first seconds, which else seem to be missing."""
    return " The warm-up is left out." if report.warmup else ""


def _caption(report: Report, points: int, failed: int) -> str:
    moment = (
        "the server received its message"
        if report.context.source == "telemetry"
        else "its message was planned to be sent"
    )
    parts = [f"An exchange stands at the moment {moment}."]
    if points > MOST_POINTS:
        parts.append(f"Of {points:,} points the extremes of each stretch are drawn.")
    if failed:
        parts.append("Crosses above are exchanges that failed; below, they are the red parts of the bars.")
    return " ".join(parts)


def _lines(usable: Series, x: Spec, colour: str, label: str, height: float) -> Spec:
    """One line, or one for each process of a server that has several."""
    labels = sorted({row.label for row in usable.rows})[:_MOST_LINES]
    y, factor = chart.quantities("value", usable.definition, usable.values, label)
    columns: dict[str, list[Any]] = {"at": [], "value": [], "series": []}
    for name in labels:
        part = usable.labelled(name)
        kept = thinned(part.at, part.values, MOST_POINTS // len(labels))
        columns["at"] += part.at[kept].tolist()
        columns["value"] += (part.values[kept] / factor).tolist()
        columns["series"] += [plain(name, 20)] * len(kept)
    shown = [plain(name, 20) for name in labels]
    table = chart.rows(**columns)
    colouring = chart.coloured(shown) if len(labels) > 1 else {"value": colour}
    style = {"interpolate": "step-after"}
    area = chart.layer("area", table, x, y | {"stack": None}, style={**style, "opacity": 0.12}, color=colouring)
    line = chart.layer("line", table, x, y, style={**style, "strokeWidth": 1.6}, color=colouring)
    process = {"Process": "datum.series"} if len(labels) > 1 else {}
    title = y["axis"]["title"]
    point = chart.pointed(line, {**process, "After": chart.moment_text("datum.at"), title: "datum.value"})
    parts = [line, area, point]
    if len(labels) > 1:
        chart.series_colour(line, shown)
        parts = list(map(chart.switched, parts))
    return chart.layers(*parts, height=height, zoom="x")
