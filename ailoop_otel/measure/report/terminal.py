"""The summary in a terminal: it fits into 80 columns, and shows more figures from 110 columns on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from ailoop_otel.measure.report import tables, wording
from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.report.tables import BAD, FAILURES, FAILURES_OF_PART, PART, Cell, Table
from ailoop_otel.measure.report.text import LONGEST_SENTENCE, plain
from ailoop_otel.measure.verdict.verdict import Verdict
from ailoop_otel.terminal import in_ascii

_WIDE: Final = 110
_QUIET, _HEADING = "dim", "bold"
STYLES: Final = {
    Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow", Verdict.NOT_JUDGED: "default",
}  # fmt: skip
SIGNS: Final = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INCONCLUSIVE: "?", Verdict.NOT_JUDGED: "–"}
_TONES: Final = {BAD: "red"} | {verdict.value: style for verdict, style in STYLES.items()}
_SIGNS: Final = {verdict.value: sign for verdict, sign in SIGNS.items()}
_WORST: Final = 3


def show(report: Report, console: Console) -> None:
    """Print title, notes, figures, failures, the worst exchanges and, last, the verdict."""
    for part in _parts(report, console.width >= _WIDE):
        console.print(in_ascii(part, console.width) if console.options.ascii_only else part)


def _parts(report: Report, wide: bool) -> Iterator[RenderableType]:
    yield Text(wording.title(report), _HEADING)
    yield Text(wording.subject(report), _QUIET)
    yield from (Text(f"• {plain(note, LONGEST_SENTENCE)}") for note in report.notes)
    yield from _table(tables.figures(report), wide)
    yield from _table(tables.load_curve(report), wide)
    yield from _table(tables.singles(report), wide)
    yield from _table(tables.errors(report), wide)
    worst = tables.worst(report)
    yield from _table(replace(worst, lines=worst.lines[:_WORST], captions=()), wide)
    if report.judgement:
        # The method is in the other formats.
        yield from _table(replace(tables.judged(report), captions=()), wide)
        verdict = report.judgement.verdict
        line = Text(f"{SIGNS[verdict]} {verdict.value.upper()}", f"bold {STYLES[verdict]}")
        yield line.append(f"  {plain(wording.verdict(report.judgement), LONGEST_SENTENCE)}", "not bold default")


def _table(table: Table, wide: bool) -> Iterator[RenderableType]:
    if table.lines or table.lead:
        yield Text(f"\n{table.title}", _HEADING)
    yield from (Text(each) for each in table.lead)
    if not table.lines:
        return
    made = RichTable(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style=_QUIET, border_style=_QUIET
    )
    shown = [wide or not column.roomy for column in table.columns]
    for place, column in enumerate(table.columns):
        if shown[place]:
            # The first column wraps if there is too little room; figures are never cut.
            head = column.head.removeprefix(table.title)
            made.add_column(head, no_wrap=place > 0, overflow="fold", justify="right" if column.number else "left")
    for line in table.lines:
        if line.kind not in (PART, FAILURES_OF_PART):  # the parts are in the other formats
            cells = [_cell(cell) for cell, keep in zip(line.cells, shown, strict=True) if keep]
            made.add_row(*cells, style=_QUIET if line.kind == FAILURES else None)
    yield made
    for line in table.lines:
        if line.reason and line.cells[0].text != Verdict.PASS.value:
            named = line.cells[1].name or line.cells[0].text
            yield Text(f"{named}: {plain(line.reason, 500)}", _TONES.get(line.cells[0].tone, _QUIET))
    yield from (Text(each, _QUIET) for each in table.captions)


def _cell(cell: Cell) -> Text:
    return Text(_SIGNS.get(cell.tone) or f"{cell.text}{plain(cell.name, 80)}", _TONES.get(cell.tone, ""))
