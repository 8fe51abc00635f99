"""Vega (https://vega.github.io): the static SVG of a specification, and the script that makes it interactive.

Both come from vl-convert, which holds the libraries and a JavaScript engine, so that nothing is loaded.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from html import escape
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import vl_convert

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.report.plots import chart
from ailoop_otel.measure.report.plots.chart import Plot, Spec
from ailoop_otel.measure.results.whole_file import whole_file

# Pixels beside the axes; the page's script knows them, too.
MARGIN: Final = 84
WIDTH: Final = 520
WIDE_WIDTH: Final = 1080

_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_CONFIG: Final[Spec] = {
    "background": None,
    "aria": False,
    "font": _FONT,
    "padding": {"left": 14, "top": 4, "right": 4, "bottom": 4},
    "view": {"stroke": None},
    "axis": {
        "labelColor": chart.QUIET, "titleColor": chart.QUIET, "gridColor": chart.GRID, "domainColor": chart.GRID,
        "labelFontSize": 11, "titleFontSize": 11.5, "titleFontWeight": "normal", "ticks": False, "labelPadding": 6,
    },
    "axisY": {"minExtent": 46, "domain": False},
    "point": {"filled": True},
    "legend": {
        "orient": "top", "title": None, "labelColor": chart.INK, "labelFontSize": 12, "labelLimit": 220,
        "symbolType": "circle", "symbolOpacity": 1, "symbolStrokeWidth": 0, "offset": 6, "columns": 4,
        "rowPadding": 4, "columnPadding": 22,
    },
    "text": {"fontSize": 11.5, "baseline": "middle"},
}  # fmt: skip
# The bundle has no comments, and the licences ask for these.
_NOTICE: Final = (
    "/* Vega, Vega-Lite, Vega-Embed: Copyright University of Washington Interactive Data Lab and contributors, "
    "BSD-3-Clause, https://github.com/vega; D3: Copyright Mike Bostock, ISC, https://github.com/d3 */\n"
)
# What only the page's script uses.
_INTERACTIVE: Final = frozenset({"params", "transform", "tooltip"})
_COLOUR: Final = re.compile(r"(--[a-z]+): (#[0-9a-f]{6})")
_VARIABLE: Final = re.compile(r"var\((--[a-z]+)\)")
_OPENING: Final = re.compile(r"<svg\b[^>]*?viewBox=\"([^\"]+)\"[^>]*>")
_DECIMALS: Final = re.compile(r"(\.\d\d)\d+")
_NEEDLESS: Final = re.compile(r' (?:class|role|aria-roledescription|aria-hidden|pointer-events|font-family)="[^"]*"')
_ID: Final = re.compile(r'(?<=id="clip)\d+|(?<=url\(#clip)\d+')


def specification(plot: Plot) -> Spec:
    """The complete specification, without the width of its views; data that several layers have are in it once."""
    tables: list[Any] = []

    def named(part: Any) -> Any:
        if isinstance(part, list):
            return [named(each) for each in part]
        if not isinstance(part, dict):
            return part
        if (values := part.get("data", {}).get("values")) is not None:
            if values not in tables:
                tables.append(values)
            part = part | {"data": {"name": f"table-{tables.index(values)}"}}
        return {name: each if name == "data" else named(each) for name, each in part.items()}

    spec = named(plot.spec)
    schema = "https://vega.github.io/schema/vega-lite/v6.json"
    return {"$schema": schema, "config": _CONFIG, "datasets": {f"table-{n}": t for n, t in enumerate(tables)}, **spec}


def svg(plot: Plot) -> str:
    """The static `<svg>` element of a plot, as wide as its place in the page; it is scaled by its `viewBox`."""
    spec = _without_interaction(specification(plot))
    for view in spec.get("vconcat", [spec]):
        view["width"] = (WIDE_WIDTH if plot.wide else WIDTH) - MARGIN
    text = _DECIMALS.sub(r"\1", _NEEDLESS.sub("", vl_convert.vegalite_to_svg(spec)))
    ids = {each: f"-{plot.name}-{number}" for number, each in enumerate(dict.fromkeys(_ID.findall(text)))}
    opening = f'<svg viewBox="{{}}" role="img" aria-label="{escape(plot.alt)}">'
    text = _ID.sub(lambda found: ids[found[0]], text)
    return _OPENING.sub(lambda found: opening.format(found[1]), text, count=1)


def pictures(plot: Plot) -> tuple[str, bytes]:
    """A plot as SVG and as PNG that stand alone, in the light colours of the page."""
    css = (resources.files("ailoop_otel.measure.report") / "templates" / "style.css.j2").read_text(encoding="utf-8")
    colours = dict(reversed(_COLOUR.findall(css)))  # the light ones are the first
    text = json.dumps(_without_interaction(specification(plot)) | {"background": "var(--paper)", "title": plot.title})
    spec = json.loads(_VARIABLE.sub(lambda found: colours[found[1]], text))
    for view in spec.get("vconcat", [spec]):
        view["width"] = WIDE_WIDTH - MARGIN
    return vl_convert.vegalite_to_svg(spec), vl_convert.vegalite_to_png(spec, scale=2)


def script() -> str:
    """The script of Vega, Vega-Lite and Vega-Embed, about 900 kB.

    It takes two seconds to bundle, so it is kept in the user's directory for caches.
    """
    place = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    path = Path(place).expanduser() / "ailoop-otel" / f"vega-{version('vl-convert-python')}.js"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        made = _NOTICE + vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # A directory that cannot be written costs the two seconds each time, and nothing else.
    with suppress(Refusal), whole_file(path) as draft:
        draft.write_text(made, encoding="utf-8")
    return made


def _without_interaction(part: Any) -> Any:
    """A copy without what only the page's script uses."""
    if isinstance(part, list):
        return [_without_interaction(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {name: each for name, each in part.items() if name not in _INTERACTIVE}
    if "layer" in kept:
        kept["layer"] = [each for each in kept["layer"] if each.get("description") != chart.POINTED]
    return {name: _without_interaction(each) for name, each in kept.items()}
