"""A run in which every text is an attempt at injection: HTML, Markdown, SVG, terminal, templates."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import observed
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.verdict.verdict import Judgement
from tests.measure.report import sample

SEEN: Final = "<script>alert(1)</script>"
TEXT: Final = (
    SEEN + "\"'><img src=x onerror=alert(2)> </svg></style></table> `| ``` [a](javascript:alert(3)) "
    "![b](https://evil.example) **c** @octocat #1 www.evil.example \x1b[31m\x1b]0;title\x07 \u202e\r\n\n# head\n"
    "- item $x^2$ $\\frac{1}{2}$ {{ 7 * 7 }} {% raw %} &amp; <!-- --> #010101 id=\"a\" 東京"
)  # fmt: skip


def run() -> Run:
    """Exchanges, steps, sessions and memory with hostile outcomes, labels, trace ids and context."""
    context = Context(
        scenario=TEXT, source=TEXT, started_at=TEXT, duration=10.0, machine={TEXT: TEXT, "memory": TEXT},
        versions={TEXT: TEXT}, settings={TEXT: {TEXT: [TEXT]}}, server={"url": TEXT, "dialect": TEXT},
        notes=(TEXT, TEXT), jaeger=f"http://x/{TEXT}",
    )  # fmt: skip
    rows = [
        observed(metric, 0.1 + number / 10, float(number), outcome=TEXT if number % 2 else "ok", exchange=number,
                 trace_id=TEXT, label=TEXT if number % 3 else "other")
        for number in range(30)
        for metric in (definitions.FIRST_CHUNK, definitions.COMPLETION, definitions.TIMEOUT_DETECTED)
    ]  # fmt: skip
    rows += [observed(definitions.STEP, 0.5, float(number), label=f"{number % 3}{TEXT}") for number in range(9)]
    rows += [observed(definitions.SESSION_START, 0.5, 0.0, session=1, outcome=TEXT)]
    rows += [observed(definitions.MEMORY, 1e8, float(number), label=TEXT[number % 2 :]) for number in range(9)]
    return Run(context, rows)


def steps() -> Run:
    """Only steps with hostile names, so that the plot of steps is drawn."""
    return Run(Context(TEXT), [row for row in run().observations if row.metric == "step"])


def judgement() -> Judgement:
    """A judgement with hostile reasons, notes and method."""
    made = sample.judgement()
    return replace(made, rows=tuple(replace(row, reason=TEXT) for row in made.rows), notes=(TEXT,), method=TEXT)
