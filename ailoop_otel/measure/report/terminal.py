"""The summary in a terminal: it fits into 80 columns, and shows more figures from 110 columns on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ailoop_otel.measure.report import levels, units, wording
from ailoop_otel.measure.report.contents import FIGURES, Report, Row
from ailoop_otel.measure.report.text import plain, sentence
from ailoop_otel.measure.verdict.verdict import Judged, Judgement, Verdict
from ailoop_otel.terminal import in_ascii

_WIDE: Final = 110
_QUIET, _BAD, _HEADING = "dim", "red", "bold"
_NARROW: Final = ("p50", "p95", "p99", "max")
STYLES: Final = {
    Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow", Verdict.NOT_JUDGED: "default",
}  # fmt: skip
SIGNS: Final = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INCONCLUSIVE: "?", Verdict.NOT_JUDGED: "–"}
_WORST: Final = 3


def show(report: Report, console: Console) -> None:
    """Print title, notes, figures, failures, the worst exchanges and, last, the verdict."""
    for part in _parts(report, console.width >= _WIDE):
        console.print(in_ascii(part, console.width) if console.options.ascii_only else part)


def _parts(report: Report, wide: bool) -> Iterator[RenderableType]:
    yield Text(wording.title(report), _HEADING)
    yield Text(wording.subject(report), _QUIET)
    yield from (Text(f"• {plain(note, 1000)}") for note in report.notes)
    if report.table:
        yield Text()
        yield _figures(report, wide)
        yield Text(wording.figures_caption(report), _QUIET)
    if report.context.levels:
        yield Text()
        yield _levels(report, wide)
        yield Text(levels.caption(report.context), _QUIET)
    if report.singles:
        yield Text()
        yield from (_single(row) for row in report.singles)
    yield Text()
    yield from _failures(report)
    if report.judgement:
        yield Text()
        yield from _judgement(report.judgement, wide)


def _levels(report: Report, wide: bool) -> Table:
    head = levels.head(report.context)
    shown = [place for place, name in enumerate(head[:-1]) if wide or ("p50" not in name and name != "Offered")]
    table = _table((), [head[place] for place in shown])
    for cells in levels.rows(report.context):
        table.add_row(*(cells[place] for place in shown))
    return table


def _figures(report: Report, wide: bool) -> Table:
    names = FIGURES if wide else _NARROW
    table = _table(("Metric", "Unit"), ("n", "Fail", *names))
    for row in report.table:
        if row.label and report.row(row.definition):
            continue  # the row of the whole metric is shown; the parts are in the other formats
        table.add_row(*_cells(row, names))
        if row.counts_failures:
            numbers = dict(zip(FIGURES, row.numbers_with_failures(), strict=True))
            table.add_row("  failures as ∞", row.scale.name, "", "", *(numbers[name] for name in names), style=_QUIET)
    return table


def _cells(row: Row, names: Sequence[str]) -> list[RenderableType]:
    numbers = dict(zip(FIGURES, row.numbers(), strict=True))
    failures = Text(units.count(row.summary.failures), _BAD if row.summary.failures else _QUIET)
    title = Text(plain(row.title, 100))
    return [title, row.scale.name, units.count(row.summary.n), failures, *(numbers[name] for name in names)]


def _single(row: Row) -> Text:
    return Text(f"{plain(row.title, 60):<34}", _QUIET).append(row.scale.quantity(row.summary.mean), "not dim")


def _failures(report: Report) -> Iterator[Text]:
    yield Text(wording.failures_sentence(report), _BAD if report.failed else "")
    for kind in report.failures:
        line = Text(f"  {plain(kind.outcome, 40):<20} ", _BAD)
        yield line.append(
            f"{units.count(kind.count):>7} of {units.counted(kind.total, kind.what[:-1], kind.what)}, "
            f"{units.per_thousand(kind.per_thousand)} per 1,000",
            "default",
        )
    head = wording.exchange_heads(report)[1].lower()
    for each in report.worst[:_WORST]:
        text = wording.exchange_text(each)
        trace = f"{plain(each.trace_id, 32)} " if each.trace_id else ""
        yield Text(f"  worst {trace}{plain(each.outcome, 40)}, {head} {text.times[1]}, at {text.at}", _QUIET)


def _judgement(judgement: Judgement, wide: bool) -> Iterator[RenderableType]:
    if judgement.rows:
        table = _table(
            ("", "Judged", "", "Unit"), ("Value", "95 % interval", "Against", *(("Change",) if wide else ()))
        )
        for row in judgement.rows:
            table.add_row(*_judged(row, wide))
        yield table
        yield from (
            Text(f"{row.metric} {row.figure}: {plain(row.reason, 500)}", STYLES[row.verdict])
            for row in judgement.rows
            if row.verdict is not Verdict.PASS
        )
    yield from (Text(sentence(note), _QUIET) for note in wording.further_notes(judgement))
    verdict = judgement.verdict
    line = Text(f"{SIGNS[verdict]} {verdict.value.upper()}", f"bold {STYLES[verdict]}")
    yield line.append(f"  {plain(wording.verdict(judgement), 500)}", "not bold default")


def _judged(row: Judged, wide: bool) -> list[RenderableType]:
    text = wording.judged_text(row)
    sign = Text(SIGNS[row.verdict], STYLES[row.verdict])
    change = f"{text.change} ({text.change_interval})" if text.change_interval else text.change
    return [sign, row.metric, row.figure, text.unit, *text.numbers, *((change,) if wide else ())]


def _table(left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style=_QUIET, border_style=_QUIET
    )
    for name in left:
        # The title wraps if there is too little room; figures are never cut.
        table.add_column(name, no_wrap=name != "Metric", overflow="fold")
    for name in right:
        table.add_column(name, no_wrap=True, justify="right")
    return table
