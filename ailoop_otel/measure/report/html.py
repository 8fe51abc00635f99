"""The report as one page, `report.html`: it needs no network and no other file, and its script only makes plots live.

Untrusted text reaches the script as JSON within an element that is not run, and as JSON only.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from ailoop_otel.measure.report import tables, wording
from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.report.plots import plots, vega
from ailoop_otel.measure.report.plots.chart import Plot
from ailoop_otel.measure.report.terminal import SIGNS
from ailoop_otel.measure.report.text import CODE, LONGEST_SENTENCE, plain
from ailoop_otel.measure.results.definitions import DEFINITIONS, UNITS
from ailoop_otel.measure.verdict.verdict import Judged
from ailoop_otel.version import __version__

WIDTH: Final = 160.0
_EDGE: Final = 6.0
# The direction of a change for the worse.
_WORSE: Final = {"lower": 1, "higher": -1}


@dataclass(frozen=True, slots=True)
class IntervalDrawing:
    """A judged figure, its interval and its limit as x positions from 0 to `WIDTH`.

    `beyond` is what lies past the limit, as start and width. `zero` is the position of no change, for a figure that was
    compared with a baseline.
    """

    low: float
    high: float
    value: float
    limit: float | None
    beyond: tuple[float, float] | None
    zero: float | None


def render(report: Report, drawn: Sequence[Plot] | None = None) -> str:
    """Render the whole page with its plots, which may be given; all untrusted text is escaped."""
    environment = Environment(
        # True, because the default rule goes by the template's file extension.
        loader=PackageLoader("ailoop_otel.measure.report", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"plain": plain, "prose": prose, "digest": digest}
    judged = report.judgement.rows if report.judgement else ()
    drawn = plots(report) if drawn is None else drawn
    return environment.get_template("report.html.j2").render(
        report=report,
        wording=wording,
        units=UNITS,
        tables=tables,
        definitions=DEFINITIONS,
        signs={verdict.value: sign for verdict, sign in SIGNS.items()},
        plots=[
            (plot, Markup(vega.svg(plot)), htmlsafe_json_dumps(vega.specification(plot), separators=(",", ":")))
            for plot in drawn
        ],
        scripts=[Markup(vega.script()), Markup(environment.get_template("plots.js").render())] if drawn else [],
        drawings=[interval_drawing(row) for row in judged],
        width=WIDTH,
        version=__version__,
    )


def digest(script: str) -> str:
    """The SHA-256 of a script in base64, by which the page's Content-Security-Policy allows it and no other."""
    return b64encode(sha256(script.encode()).digest()).decode()


def prose(text: object) -> Markup:
    """Escape a sentence; what stands between backticks becomes code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(plain(text, LONGEST_SENTENCE)))))


def interval_drawing(row: Judged) -> IntervalDrawing | None:
    """Draw the change and its interval if there is one, else the value and its target; None for an unknown value."""
    worse = _WORSE.get(DEFINITIONS[row.metric].better, 0) if row.target is None else -1 if row.at_least else 1
    zero = None if row.change is None else 0.0
    if row.change is not None:
        value, bounds = row.change, (row.change_low, row.change_high)
        limit = worse * row.allowed if row.allowed is not None and worse else None
    else:
        value, bounds = row.value, (row.low, row.high)
        limit = row.limit
    low, high = (value if each is None or math.isnan(each) else each for each in bounds)
    limit = None if limit is None or math.isnan(limit) else limit
    known = [each for each in (low, high, value, limit, zero) if each is not None and math.isfinite(each)]
    if math.isnan(value) or not known:
        return None
    # With a margin beside the outermost; infinity is at the edge.
    least, most = min(known), max(known)
    margin = (most - least) * 0.15 or abs(most) * 0.1 or 1.0

    def position(value: float) -> float:
        share = (value - least + margin) / (most - least + 2 * margin)
        return round(min(max(share * WIDTH, _EDGE), WIDTH - _EDGE), 2)

    at = None if limit is None else position(limit)
    beyond = None if at is None or not worse else (at, WIDTH - at) if worse > 0 else (0.0, at)
    return IntervalDrawing(
        position(low), position(high), position(value), at, beyond, None if zero is None else position(zero)
    )
