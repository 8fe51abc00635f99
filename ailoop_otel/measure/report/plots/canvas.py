"""Matplotlib figures without global state, and their SVG: small, accessible, in the page's colours and fonts."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ailoop_otel.measure.report import units
from ailoop_otel.measure.statistics.percentiles import Values

# Placeholders: the SVG has the page's CSS variable of that name instead, which is light or dark.
INK, QUIET, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
BLUE, ORANGE, GREEN, PURPLE, RED, SKY = "#050505", "#060606", "#070707", "#080808", "#090909", "#0a0a0a"
SERIES: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, INK)
_NAMES: Final = {
    INK: "ink", QUIET: "quiet", GRID: "grid", PAPER: "paper", BLUE: "blue", ORANGE: "orange", GREEN: "green",
    PURPLE: "purple", RED: "red", SKY: "sky",
}  # fmt: skip

_ROUND: Final = [1, 2, 2.5, 5, 10]
Size = tuple[float, float]
WIDE: Final[Size] = (10.6, 3.7)
HALF: Final[Size] = (6.0, 3.7)
_SETTINGS: Final[Any] = {
    # Text stays text: it can be searched, takes a tenth of the bytes and is shown in the page's font.
    "svg.fonttype": "none",
    # Ids are derived from this and not random, so that the same run gives the same page.
    "svg.hashsalt": "ailoop-otel",
    # A dollar sign in a name does not start a formula.
    "text.parse_math": False,
    "path.simplify": True,
    "path.simplify_threshold": 0.5,
    "font.size": 9,
    "axes.unicode_minus": True,
}
_COLOUR: Final = re.compile("|".join(_NAMES))
_HEAD: Final = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_METADATA: Final = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_FONT: Final = re.compile(r"font: ([\d.]+)px [^;\"]*")
_ID: Final = re.compile(r'((?:\bid="|href="#|url\(#))([^")]+)')
_FAMILY: Final = re.compile(r"font-family: [^;\"]*;? ?")
_STYLE: Final = re.compile(r"<style.*?</style>", re.DOTALL)
_PLACES: Final = re.compile(r'( (?:d|x|y|transform)=")([^"]*)')
_DECIMALS: Final = re.compile(r"(\.\d\d)\d+")
_UPRIGHT: Final = re.compile(r' transform="rotate\(-?0 [^"]*"')
_MARKERS: Final = re.compile(r"<g( clip-path=\"[^\"]*\")?>\s*((?:<use [^>]*/>\s*){2,})</g>")
_USE: Final = re.compile(r' style="([^"]*)"')
_OPENING: Final = re.compile(r"<svg\b[^>]*?viewBox=\"([^\"]+)\"[^>]*>")


@dataclass(frozen=True, slots=True)
class Plot:
    """A finished plot: `alt` describes it in words, `caption` explains how to read it."""

    name: str
    title: str
    caption: str
    alt: str
    svg: str
    wide: bool = False


def finished(figure: Figure, name: str, title: str, caption: str, alt: str) -> Plot:
    """Make a plot of a figure, which is closed; `name` is its id in the page."""
    wide = bool(figure.get_figwidth() > HALF[0])
    figure.align_ylabels()
    return Plot(name, title, caption, alt, svg(figure, name, alt), wide)


@contextmanager
def settings() -> Iterator[None]:
    """Set matplotlib's global settings for all that is drawn within, and restore them."""
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # A name may be in a script that the font here lacks; the browser's font has it.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        # Names that are too long for their plot: it is drawn all the same.
        warnings.filterwarnings("ignore", message="constrained_layout not applied", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support", category=UserWarning)
        yield


def panels(size: Size, *heights: float) -> tuple[Figure, list[Axes]]:
    """A figure of `size` inches with panels that share the x axis, one below the other; one panel without `heights`."""
    figure = Figure(figsize=size, layout="constrained", facecolor="none")
    FigureCanvasSVG(figure)
    ratios = heights or (1.0,)
    grid = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": ratios})
    axes = [axis for axis in grid[:, 0]]
    for each in axes:
        _style(each)
    return figure, axes


def svg(figure: Figure, name: str, alt: str) -> str:
    """Convert a figure to an `<svg>` element, whose ids are unique in the page, and close the figure."""
    out = StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    figure.clear()
    text = _smaller(_METADATA.sub("", _COMMENT.sub("", _HEAD.sub("", out.getvalue(), count=1))))
    text = _ID.sub(lambda found: f"{found[1]}{name}-{found[2]}", text)
    text = _FONT.sub(lambda found: f"font-size: {found[1]}px", text)
    text = _COLOUR.sub(lambda found: f"var(--{_NAMES[found[0]]})", text)
    return _OPENING.sub(
        lambda found: f'<svg viewBox="{found[1]}" role="img" aria-label="{escape(alt)}">',
        text,
        count=1,
    )


def legend(axes: Axes, **more: Any) -> None:
    """Add a legend, if anything that is drawn has a label."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, labelcolor=INK, fontsize=8.5, **more)


def duration_axis(axes: Axes, seconds: Values, which: str = "x", *, log: bool = True) -> None:
    """Make an axis one of durations, each tick with its unit; `seconds` are the values that are drawn on it."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    known = seconds[np.isfinite(seconds) & (seconds > 0)]
    if log:
        low, high = _decades(known)
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
        axis.set_major_locator(LogLocator(subs=_steps(high / low), numticks=12))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(5, steps=_ROUND))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))


def unit_axis(axes: Axes, unit: str, values: Values, label: str, which: str = "y") -> None:
    """Make an axis one of values in a unit of the table of definitions; its label names the scale."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    known = values[np.isfinite(values)]
    scale = units.scale(unit, float(known.max()) if len(known) else math.nan)
    axis.set_major_locator(MaxNLocator(5, steps=_ROUND))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / scale.factor:,.6g}"))
    axis.set_label_text(f"{label} ({scale.name})")


def count_axis(axes: Axes, label: str) -> None:
    """Make the y axis one of counts."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(label)


def time_axis(axes: Axes, at: Values, *, warmed_up: bool = False) -> None:
    """Make the x axis the time since the run began, in seconds; its label says so if a warm-up is left out."""
    low, high = (float(at.min()), float(at.max())) if len(at) else (0.0, 1.0)
    margin = max(high - low, 1e-3) * 0.015
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(9, steps=_ROUND))
    axes.set_xlabel(f"Seconds since the run began (s){'; the warm-up is left out' if warmed_up else ''}")


def needs_log(values: Values) -> bool:
    """Whether values are so far apart that they need a logarithmic axis."""
    known = values[np.isfinite(values) & (values > 0)]
    return len(known) > 1 and float(known.max()) > 20 * float(np.median(known))


def tick(seconds: float) -> str:
    """The label of a tick: a duration in the unit that suits it."""
    if seconds == 0:
        return "0 s"
    scale = units.scale("s", seconds)
    return f"{seconds / scale.factor:,.4g} {scale.name}"


def mark_position(axes: Axes, position: float, text: str, colour: str = QUIET, line: int = 0) -> None:
    """Draw a vertical line with text beside it, `line` lines below the top, on the side that has more room."""
    axes.axvline(position, color=colour, linewidth=0.9, linestyle=(0, (4, 3)))
    left = bool(axes.transAxes.inverted().transform(axes.transData.transform((position, 0)))[0] > 0.7)
    axes.annotate(
        text, (position, 1), xycoords=("data", "axes fraction"), xytext=(-4 if left else 4, -8 - 12 * line),
        textcoords="offset points", va="top", ha="right" if left else "left", color=colour, fontsize=8.5,
    )  # fmt: skip


def strokes(
    axes: Axes, left: list[float], right: list[float], low: Sequence[float], high: Sequence[float], **more: Any
) -> None:
    """Draw strokes, each from (left, low) to (right, high), as one line with gaps, which takes few bytes."""
    x = np.array([left, right, [math.nan] * len(left)]).T.ravel()
    y = np.array([low, high, [math.nan] * len(left)]).T.ravel()
    axes.plot(x, y, color=RED, solid_capstyle="butt", **more)


def name_rows(axes: Axes, names: list[str]) -> None:
    """Label the rows of a y axis, the first on top."""
    axes.yaxis.set_major_locator(FixedLocator(range(len(names))))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)


def _smaller(text: str) -> str:
    """Remove what has no effect: digits below a hundredth of a point, rotations by 0, repeated styles."""
    text = _STYLE.sub("", _FAMILY.sub("", _UPRIGHT.sub("", text))).replace("xlink:href", "href")
    text = _PLACES.sub(lambda found: found[1] + _DECIMALS.sub(r"\1", found[2]), text)
    return _MARKERS.sub(_with_common_style, text)


def _with_common_style(found: re.Match[str]) -> str:
    """Move the style of markers that all look the same to their group."""
    styles = set(_USE.findall(found[2]))
    if len(styles) != 1:
        return found[0]
    return f'<g{found[1] or ""} style="{styles.pop()}">{_USE.sub("", found[2])}</g>'


def _steps(ratio: float) -> tuple[float, ...]:
    """The multiples of a power of ten that get a tick, on an axis whose end is `ratio` times its start."""
    if ratio < 8:
        return (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    return (1.0, 2.0, 5.0) if ratio < 50 else (1.0, 3.0) if ratio < 3000 else (1.0,)


def _decades(known: Values) -> tuple[float, float]:
    """The limits of a logarithmic axis for all values, with a margin."""
    low, high = (float(known.min()), float(known.max())) if len(known) else (1e-3, 1.0)
    if high / low < 4:
        middle = math.sqrt(low * high)
        low, high = middle / 2, middle * 2
    margin = (high / low) ** 0.04
    return low / margin, high * margin


def _style(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=QUIET, labelsize=8.5, length=0, which="both")
    axes.xaxis.label.set_color(QUIET)
    axes.yaxis.label.set_color(QUIET)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(GRID)
