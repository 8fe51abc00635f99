"""The report as one page, `report.html`: it needs no network and no other file, and its script only makes plots live.

Untrusted text reaches the script as JSON within an element that is not run, and as JSON only.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from ailoop_otel.measure.report import units, wording
from ailoop_otel.measure.report.contents import FIGURES, Report
from ailoop_otel.measure.report.exchanges import WORST_RULE, trace_link
from ailoop_otel.measure.report.plots import plots, vega
from ailoop_otel.measure.report.plots.chart import Plot
from ailoop_otel.measure.report.text import CODE, LONGEST_SENTENCE, plain, sentence
from ailoop_otel.measure.results.definitions import DEFINITIONS
from ailoop_otel.measure.statistics.percentiles import METHOD
from ailoop_otel.measure.verdict.verdict import Judged
from ailoop_otel.version import __version__

WIDTH: Final = 160.0
_EDGE: Final = 6.0


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
    environment.filters |= {
        "plain": plain,
        "prose": prose,
        "count": units.count,
        "sentence": sentence,
        "digest": digest,
    }
    judged = report.judgement.rows if report.judgement else ()
    drawn = plots(report) if drawn is None else drawn
    return environment.get_template("report.html.j2").render(
        report=report,
        wording=wording,
        units=units,
        figures=FIGURES,
        plots=[
            (plot, Markup(vega.svg(plot)), htmlsafe_json_dumps(vega.specification(plot), separators=(",", ":")))
            for plot in drawn
        ],
        scripts=[Markup(vega.script()), Markup(environment.get_template("plots.js").render())] if drawn else [],
        judged=[(row, wording.judged_text(row), interval_drawing(row)) for row in judged],
        width=WIDTH,
        worst=[
            (each, wording.exchange_text(each), trace_link(report.context.jaeger, each.trace_id))
            for each in report.worst
        ],
        worst_rule=WORST_RULE,
        method=METHOD,
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
    worse = _worse(row)
    if row.change is not None:
        low, high = _known(row.change_low, row.change), _known(row.change_high, row.change)
        limit = None if row.allowed is None or not worse else worse * row.allowed
        return _drawing(low, high, row.change, limit, worse, zero=0.0)
    limit = row.target if row.target is not None else row.reference
    return _drawing(_known(row.low, row.value), _known(row.high, row.value), row.value, limit, worse, zero=None)


def _worse(row: Judged) -> int:
    """The direction of a change for the worse: 1 for more, -1 for less, 0 for neither."""
    definition = DEFINITIONS.get(row.metric)
    return {"lower": 1, "higher": -1}.get(definition.better, 0) if definition else 0


def _known(bound: float | None, value: float) -> float:
    return value if bound is None or math.isnan(bound) else bound


def _drawing(
    low: float, high: float, value: float, limit: float | None, worse: int, *, zero: float | None
) -> IntervalDrawing | None:
    if math.isnan(value):
        return None
    known = [each for each in (low, high, value, limit, zero) if each is not None and math.isfinite(each)]
    if not known:
        return None
    position = _positioning(known)
    at = None if limit is None or math.isnan(limit) else position(limit)
    beyond = None
    if at is not None and worse:
        beyond = (at, WIDTH - at) if worse > 0 else (0.0, at)
    return IntervalDrawing(
        position(low), position(high), position(value), at, beyond, None if zero is None else position(zero)
    )


def _positioning(known: Sequence[float]) -> Callable[[float], float]:
    """A function from values to positions, with a margin beside the outermost; infinity is at the edge."""
    low, high = min(known), max(known)
    margin = (high - low) * 0.15 or abs(high) * 0.1 or 1.0
    low, high = low - margin, high + margin

    def position(value: float) -> float:
        share = (value - low) / (high - low)
        return round(min(max(share * WIDTH, _EDGE), WIDTH - _EDGE), 2)

    return position
