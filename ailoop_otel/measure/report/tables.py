"""The tables of a report as data: what each cell says. The formats only lay them out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ailoop_otel.measure.report import wording
from ailoop_otel.measure.report.contents import Report, Row
from ailoop_otel.measure.report.exchanges import (
    COMPLETIONS,
    FIRST_CHUNKS,
    WORST_RULE,
    Exchange,
    observed_metric,
    trace_link,
)
from ailoop_otel.measure.report.text import sentence
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.level_figures import LevelFigures
from ailoop_otel.measure.results.quantities import NOTHING, percent
from ailoop_otel.measure.results.quantities import scale as scale_of
from ailoop_otel.measure.statistics.percentiles import METHOD
from ailoop_otel.measure.verdict.verdict import Judged
from ailoop_otel.units import counted

_TIME: Final = scale_of(definitions.FIRST_CHUNK)
_RATE: Final = scale_of(definitions.RATE)
_ERRORS: Final = scale_of(definitions.ERROR_RATE)
_CURVE: Final = (
    f"Rates in {_RATE.name}: offered is what was planned, delivered what was sent in time, goodput what met the "
    f"targets; errors are {_ERRORS.name}; times, to the first chunk and to the complete answer, in {_TIME.name}, with "
    "failures as infinitely slow. A level that was not put on says nothing of the server."
)
FIGURES: Final = ("mean", "p50", "p90", "p95", "p99", "max")
# Settings of [stable], and what each limits.
_LIMITS: Final = {
    "errors": (_ERRORS, "errors"),
    "first_chunk_p95": (_TIME, "to the first chunk (p95)"),
    "completion_p95": (_TIME, "to the complete answer (p95)"),
}
BAD: Final = "bad"
PART, FAILURES, FAILURES_OF_PART = "part", "failures", "part failures"


class Column(NamedTuple):
    """A column: its head, whether it holds numbers, and whether it is shown only where there is room."""

    head: str
    number: bool = False
    roomy: bool = False


class Cell(NamedTuple):
    """A cell: its text, and after it a name that someone else gave, such as a label.

    `link` is an address, or `#` and the name of a metric; `tone` is `bad` or a verdict's value.
    """

    text: str
    name: str = ""
    link: str = ""
    tone: str = ""


class Line(NamedTuple):
    """A line of a table. `kind` is `part` for a part of the line above, `failures` for that line with its failures,
    `part failures` for both.

    `reason` explains the line in a sentence.
    """

    cells: tuple[Cell, ...]
    kind: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a title, sentences above it, and sentences below it that say how to read it."""

    title: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    lead: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()


def judged(report: Report) -> Table:
    """The judged figures with the reasons of their verdicts."""
    columns = (
        Column("Verdict"), Column("Figure"), Column("Unit"), Column("Value", number=True),
        Column("95 % interval", number=True), Column("Held against", number=True),
        Column("Change", number=True, roomy=True),
    )  # fmt: skip
    judgement = report.judgement
    if judgement is None:
        return Table("Verdict", columns, ())
    # Where nothing was judged, the first note is the verdict.
    notes = tuple(map(sentence, judgement.notes if judgement.rows else judgement.notes[1:]))
    method = (judgement.method,) if judgement.rows and judgement.method else ()
    return Table("Verdict", columns, tuple(map(_judged, judgement.rows)), notes, method)


def load_curve(report: Report) -> Table:
    """The levels of a load curve."""
    context = report.context
    columns = (
        Column(wording.load_unit(context).capitalize(), number=True), Column("Offered", number=True, roomy=True),
        Column("Delivered", number=True), Column("Goodput", number=True), Column("Errors", number=True),
        Column("First p50", number=True, roomy=True), Column("First p95", number=True),
        Column("Complete p50", number=True, roomy=True), Column("Complete p95", number=True), Column("Targets"),
    )  # fmt: skip
    stable = context.settings.get("stable")
    limits = stable if isinstance(stable, dict) else {}
    known = ((limits.get(name), scale, words) for name, (scale, words) in _LIMITS.items())
    targets = [f"{scale.quantity(value)} {words}" for value, scale, words in known if isinstance(value, (int, float))]
    captions = [_CURVE, *([f"Targets, at most: {', '.join(targets)}."] if targets else [])]
    return Table("Load curve", columns, tuple(map(_level, context.levels)), captions=tuple(captions))


def figures(report: Report) -> Table:
    """The figures of each metric, and of each of its labels."""
    columns = (
        Column("Metric"), Column("Unit"), Column("n", number=True), Column("Failures", number=True),
        *(Column(name, number=True, roomy=name in ("mean", "p90")) for name in FIGURES),
    )  # fmt: skip
    lines = tuple(line for row in report.rows if not row.single for line in _figures(report, row))
    return Table("Figures", columns, lines, captions=(wording.figures_caption(report), METHOD))


def singles(report: Report) -> Table:
    """The metrics with one value per run."""
    lines = [Line((_metric(row), Cell(row.scale.quantity(row.summary.mean)))) for row in report.rows if row.single]
    return Table("Of the whole run", (Column("Metric"), Column("Value", number=True)), tuple(lines))


def errors(report: Report) -> Table:
    """How often exchanges, sessions and steps failed, by kind."""
    columns = (Column("Kind"), Column("Of"), Column("Count", number=True), Column("Per 1,000", number=True))
    lines = [
        Line((
            Cell("", kind.outcome, tone=BAD), Cell(counted(kind.total, kind.what[:-1], kind.what)),
            Cell(f"{kind.count:,}"), Cell(_ERRORS.number(kind.per_thousand)),
        ))
        for kind in report.failures
    ]  # fmt: skip
    return Table("Errors", columns, tuple(lines), (wording.failures_sentence(report),))


def worst(report: Report) -> Table:
    """The worst exchanges, with their traces."""
    columns = (
        Column("Exchange", number=True, roomy=True), Column("Session", number=True, roomy=True),
        Column("Began after", number=True), Column("Outcome"), *_time_columns(report), Column("Trace"),
    )  # fmt: skip
    lines = tuple(_worst(each, report.context.jaeger) for each in report.worst)
    captions = filter(None, (WORST_RULE, wording.traces_hint(report)))
    return Table("Worst exchanges", columns, lines, captions=tuple(captions))


def _judged(row: Judged) -> Line:
    scale, verdict = scale_of(row.metric), row.verdict.value
    change = _interval(percent, row.change_low, row.change_high)
    return Line(
        (
            Cell(verdict, tone=verdict),
            Cell("", f"{row.metric} {row.figure}", f"#{row.metric}"),
            Cell(scale.name),
            Cell(scale.number(row.value)),
            Cell(_interval(scale.number, row.low, row.high) or NOTHING),
            Cell(f"{row.against} {scale.number(row.limit)}"),
            Cell(f"{percent(row.change)} ({change})" if change else percent(row.change)),
        ),
        reason=row.reason,
    )


def _level(level: LevelFigures) -> Line:
    rates = map(_RATE.number, (level.offered, level.delivered, level.goodput))
    seconds = (level.first_chunk_p50, level.first_chunk_p95, level.completion_p50, level.completion_p95)
    times, why = map(_TIME.number, seconds), level.missed or level.not_put_on
    cells = (_RATE.number(level.load), *rates, _ERRORS.number(level.errors), *times)
    return Line((*map(Cell, cells), Cell(level.state, tone=BAD if why else "")), reason=why)


def _figures(report: Report, row: Row) -> Iterator[Line]:
    summary, unit = row.summary, Cell(row.scale.name)
    failures = Cell(f"{summary.failures:,}", tone=BAD if summary.failures else "")
    numbers = [Cell(row.scale.number(getattr(summary, name))) for name in FIGURES]
    part = row.label and report.row(row.definition) is not None
    yield Line((_metric(row), unit, Cell(f"{summary.n:,}"), failures, *numbers), PART if part else "")
    if row.counts_failures:
        inside = summary.with_failures  # without a mean, which would be infinite
        numbers = [Cell(row.scale.number(inside[name]) if name in inside else "") for name in FIGURES]
        n = Cell(f"{summary.n + summary.failures:,}")
        # With the label of a part: not every format shows the line above.
        named = Cell(f"failures as ∞{': ' if row.label else ''}", row.label)
        yield Line((named, unit, n, Cell(""), *numbers), FAILURES_OF_PART if part else FAILURES)


def _metric(row: Row) -> Cell:
    return Cell(f"{row.definition.title}{': ' if row.label else ''}", row.label, f"#{row.definition.name}")


def _time_columns(report: Report) -> Iterator[Column]:
    """The heads of an exchange's times say if these are the server's, not the client's."""
    for title, metrics, roomy in (("First chunk", FIRST_CHUNKS, True), ("Complete", COMPLETIONS, False)):
        client = observed_metric(report.run, metrics) is metrics[0]
        yield Column(title if client else f"{title}, server", number=True, roomy=roomy)
    yield Column("Longest gap", number=True, roomy=True)


def _worst(each: Exchange, jaeger: str) -> Line:
    show = scale_of(definitions.COMPLETION).quantity
    numbers = [str(number) if number >= 0 else NOTHING for number in (each.number, each.session)]
    times = [show(seconds) for seconds in (each.first_chunk, each.completion, each.longest_gap)]
    return Line(
        (
            *map(Cell, numbers),
            Cell(scale_of(definitions.SESSION_DURATION).quantity(each.at)),
            Cell("", each.outcome, tone=BAD if each.failed else ""),
            *map(Cell, times),
            Cell("" if each.trace_id else NOTHING, each.trace_id, trace_link(jaeger, each.trace_id)),
        )
    )


def _interval(shown: Callable[[float], str], low: float | None, high: float | None) -> str:
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    return f"{shown(low)} to {shown(high)}"
