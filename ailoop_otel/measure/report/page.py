"""The report as one page, `report.html`: it needs no network, no script and no other file."""

from __future__ import annotations

import re
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ailoop_otel.measure.report import facts, units
from ailoop_otel.measure.report.digest import FIGURES, Digest
from ailoop_otel.measure.report.interval import WIDTH, drawing
from ailoop_otel.measure.report.outside import plain
from ailoop_otel.measure.report.plots import plots
from ailoop_otel.measure.report.worst import RULE, address
from ailoop_otel.measure.statistics.percentiles import METHOD
from ailoop_otel.version import __version__

_CODE: Final = re.compile(r"`([^`]+)`")


def document(digest: Digest) -> str:
    """Write the whole page; everything that comes from outside is escaped."""
    environment = Environment(
        # Everything is escaped, whatever the template is called.
        loader=PackageLoader("ailoop_otel.measure.report", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"plain": plain, "prose": prose, "count": units.count}
    page = environment.get_template("report.html.j2").render(
        digest=digest,
        facts=facts,
        units=units,
        figures=FIGURES,
        plots=[(plot, Markup(plot.svg)) for plot in plots(digest)],
        judged=_judged(digest),
        width=WIDTH,
        worst=[(each, facts.exchange(each), address(digest.context.jaeger, each.trace_id)) for each in digest.worst],
        rule=RULE,
        method=METHOD,
        version=__version__,
    )
    return "\n".join(line.rstrip() for line in page.splitlines() if line.strip()) + "\n"


def prose(text: object) -> Markup:
    """A sentence, escaped; what stands in backticks is code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(plain(text, 2000)))))


def _judged(digest: Digest) -> list[tuple[object, ...]]:
    rows = digest.judgement.rows if digest.judgement else ()
    return [(row, facts.judged(row, digest), drawing(row)) for row in rows]
