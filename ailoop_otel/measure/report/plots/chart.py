"""The vocabulary of the plots: parts of Vega-Lite specifications (https://vega.github.io/vega-lite/docs/spec.html).

A specification is drawn twice: once as the static SVG, which stays without JavaScript and in print, and once by the
page's script, where pointing shows values. `params`, `transform` and `tooltip` are for the second only (see `vega`);
so is a layer that `pointed` makes. Colours are the page's CSS variables, which are light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.quantities import scale as scale_of
from ailoop_otel.measure.statistics.percentiles import Values

Spec = dict[str, Any]

INK, QUIET, GRID, PAPER = "var(--ink)", "var(--quiet)", "var(--grid)", "var(--paper)"
BLUE, ORANGE, GREEN = "var(--blue)", "var(--orange)", "var(--green)"
PURPLE, RED, SKY = "var(--purple)", "var(--red)", "var(--sky)"
# What could not be measured: an exchange that failed, a level that was not put on.
CROSS: Final = {"shape": "cross", "angle": 45, "color": RED}
SERIES: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, INK)
HEIGHT: Final = 230
# Names of the parameters: which series are shown, which point is pointed at, which part of the scales is seen.
_SHOWN, POINTED, _ZOOM = "shown", "pointed", "zoom"
# With the Control key (a touchpad's pinch sends it, too), since the wheel alone scrolls the page.
_WHEEL: Final = "wheel![event.ctrlKey]"
_DIGITS: Final = 5
_LATENCY: Final = scale_of(definitions.COMPLETION)
# Of the ticks of a logarithmic axis, 1, 2, 5 and 10 have labels, and those between whole numbers, if zoom brings them.
_MANTISSA: Final = "(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))"
_ROUND: Final = f"(abs({_MANTISSA} - round({_MANTISSA})) > 1e-6 || indexof([1, 2, 5], round({_MANTISSA})) >= 0)"


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: `alt` describes it in words, `caption` explains how to read it; `name` is its id in the page."""

    name: str
    title: str
    caption: str
    alt: str
    spec: Spec
    wide: bool = False


def rows(**columns: Iterable[Any]) -> Spec:
    """The data of a layer, from columns of equal length; numbers are rounded to five significant digits."""
    table = zip(*(each.tolist() if isinstance(each, np.ndarray) else each for each in columns.values()), strict=True)
    return {"values": [dict(zip(columns, map(_short, row), strict=True)) for row in table]}


def layers(*parts: Spec, height: float = HEIGHT, zoom: str = "xy") -> Spec:
    """Layers on the same axes; the first one that is not for pointing takes zooming along the axes in `zoom`."""
    select = {"type": "interval", "encodings": list(zoom), "zoom": _WHEEL}
    parts[0].setdefault("params", []).append({"name": _ZOOM, "select": select, "bind": "scales"})
    return {"height": height, "layer": list(parts)}


def panels(*views: Spec) -> Spec:
    """Views one below the other, which are zoomed together along the fields that they share."""
    return {"vconcat": list(views), "spacing": 12, "resolve": {"scale": {"color": "independent"}}}


def layer(mark: str, data: Spec, x: Spec, y: Spec, *, style: Mapping[str, Any] | None = None, **encoding: Any) -> Spec:
    """One kind of mark, with `style` its properties; `encoding` are channels besides x and y, such as `color`."""
    channels = {"x": x, "y": y, **encoding}
    return {"mark": {"type": mark, "clip": True, **(style or {})}, "data": data, "encoding": channels}


def rule(place: float, text: str, x: Spec, colour: str = QUIET, line: int = 0) -> list[Spec]:
    """A vertical line with text beside it, `line` lines below the top, on the side that has more room.

    `x` is the axis, on which `place` is.
    """
    low, high = x["scale"]["domain"]
    at = math.log(place / low) / math.log(high / low) if x["scale"]["type"] == "log" else (place - low) / (high - low)
    side = {"align": "right", "dx": -4} if at > 0.7 else {"align": "left", "dx": 4}
    data = rows(**{x["field"]: [place]})
    dashes = {"type": "rule", "strokeDash": [4, 3], "color": colour, "clip": True}
    words = layer("text", data, x, {"value": 8 + 13 * line}, style={"color": colour, **side, "text": text})
    return [{"mark": dashes, "data": data, "encoding": {"x": x}}, words]


def pointed(part: Spec, values: Mapping[str, str]) -> Spec:
    """A layer for pointing at a line or at small dots: its points, invisible but for the one below the pointer."""
    encoding = {name: each for name, each in part["encoding"].items() if name in ("x", "y", "color")}
    colour = {"color": part["mark"]["color"]} if "color" in part["mark"] else {}
    mark = {"type": "point", "size": 160, "stroke": PAPER, "clip": True, **colour}
    select = {"type": "point", "on": "pointerover", "clear": "pointerout"}
    encoding["opacity"] = {"condition": {"param": POINTED, "empty": False, "value": 1}, "value": 0}
    made = {"description": POINTED, "mark": mark, "data": part["data"], "encoding": encoding}
    return told(made | {"params": [{"name": POINTED, "select": select}]}, values)


def told(part: Spec, values: Mapping[str, str]) -> Spec:
    """The layer, whose marks show values when they are pointed at: expressions, by title, which no field's name is."""
    part["transform"] = [{"calculate": each, "as": title} for title, each in values.items()]
    part["encoding"]["tooltip"] = [{"field": title, "type": "nominal"} for title in values]
    return part


def switched(part: Spec) -> Spec:
    """The layer, without the series that the legend switches off."""
    part.setdefault("transform", []).insert(0, {"filter": {"param": _SHOWN, "empty": False}})
    return part


def series_colour(part: Spec, names: Sequence[str], colours: Sequence[str] = SERIES) -> Spec:
    """The layer in a colour for each value of its field `series`; its legend switches series on and off."""
    part["encoding"]["color"] = coloured(names, colours)
    every = [{"series": name} for name in names]
    select = {"type": "point", "fields": ["series"], "toggle": "true", "clear": False}
    part.setdefault("params", []).append({"name": _SHOWN, "select": select, "bind": "legend", "value": every})
    return part


def coloured(names: Sequence[str], colours: Sequence[str] = SERIES) -> Spec:
    """The colour of each value of the field `series`, in turn."""
    domain = list(dict.fromkeys(names))
    scale = {"domain": domain, "range": [colours[place % len(colours)] for place in range(len(domain))]}
    return {"field": "series", "type": "nominal", "scale": scale}


def duration_text(value: str) -> str:
    """The expression of a latency with its unit, of the expression of one in seconds."""
    return f"format({value} / {_LATENCY.factor:g}, ',.4~r') + ' {_LATENCY.name}'"


def moment_text(value: str) -> str:
    """The expression of a time since the run began."""
    return f"format({value}, ',.5~r') + ' s'"


def durations(field: str, seconds: Values, title: str, *, log: bool = True) -> Spec:
    """An axis of latencies, in the unit that latencies have everywhere; `seconds` are the values drawn on it."""
    known = seconds[np.isfinite(seconds) & (seconds > 0)]
    low, high = _decades(known) if log else (0.0, max(float(known.max(initial=0)) * 1.12, 1e-6))
    text = f"format(datum.value / {_LATENCY.factor:g}, ',.6~r')"
    title = title.replace(" (log", f" ({_LATENCY.name}, log") if "(" in title else f"{title} ({_LATENCY.name})"
    axis: Spec = {"title": title, "tickCount": 6, "labelOverlap": "greedy", "labelSeparation": 6, "labelExpr": text}
    if log and high / low > 8:
        axis |= {
            "labelExpr": f"{_ROUND} ? {text} : ''",
            "gridOpacity": {"condition": {"test": _ROUND, "value": 1}, "value": 0},
        }
    scale = {"type": "log" if log else "linear", "domain": [_short(low), _short(high)], "nice": False}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}


def quantities(field: str, metric: Definition, values: Values, title: str) -> tuple[Spec, float]:
    """An axis from 0 of a metric's values, and the factor to divide the values by."""
    scale = scale_of(metric)
    most = float(values[np.isfinite(values)].max(initial=0.0)) / scale.factor
    return linear(field, 0, max(most * 1.12, 1e-9), f"{title} ({scale.name})"), scale.factor


def linear(field: str, low: float, high: float, title: str, ticks: int = 5) -> Spec:
    """A linear axis with these limits."""
    scale = {"type": "linear", "domain": [_short(low), _short(high)], "nice": False}
    axis = {"title": title, "tickCount": ticks, "labelOverlap": False, "format": ",.6~r"}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}


def bare(axis: Spec) -> Spec:
    """The same axis with its grid only, for a panel above one that has the labels."""
    return axis | {"axis": axis["axis"] | {"labels": False, "title": None}}


def times(field: str, at: Values) -> Spec:
    """The x axis of the time since the run began, in seconds."""
    low, high = (float(at.min()), float(at.max())) if len(at) else (0.0, 1.0)
    margin = max(high - low, 1e-3) * 0.015
    return linear(field, low - margin, high + margin, "Seconds since the run began (s)", 9)


def names(field: str, order: Sequence[str]) -> Spec:
    """A y axis with a row for each name, the first on top."""
    axis = {"title": None, "labelColor": INK, "labelLimit": 190, "grid": False, "domain": False}
    return {"field": field, "type": "nominal", "scale": {"domain": list(order)}, "axis": axis}


def needs_log(values: Values) -> bool:
    """Whether values are so far apart that they need a logarithmic axis."""
    known = values[np.isfinite(values) & (values > 0)]
    return len(known) > 1 and float(known.max()) > 20 * float(np.median(known))


def _short(value: Any) -> Any:
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def _decades(known: Values) -> tuple[float, float]:
    """The limits of a logarithmic axis for all values, with a margin."""
    low, high = (float(known.min()), float(known.max())) if len(known) else (1e-3, 1.0)
    if high / low < 4:
        middle = math.sqrt(low * high)
        low, high = middle / 2, middle * 2
    margin = (high / low) ** 0.04
    return low / margin, high * margin
