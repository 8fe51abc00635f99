"""The summary in a terminal: fits 80 columns, and says more where there are 110."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ailoop_otel.measure.report import facts, units
from ailoop_otel.measure.report.digest import FIGURES, Digest, Row
from ailoop_otel.measure.report.outside import plain
from ailoop_otel.measure.verdict.verdict import Judged, Judgement, Verdict

_WIDE: Final = 110
_QUIET, _BAD, _HEADING = "dim", "red", "bold"
_NARROW: Final = ("p50", "p95", "p99", "max")
_STYLES: Final = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow"}
_SIGNS: Final = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INCONCLUSIVE: "?"}
_WORST: Final = 3
# What a terminal without Unicode is shown instead.
_PLAIN: Final = str.maketrans(
    {"∞": "inf", "–": "-", "−": "-", "±": "+-", "µ": "u", "✓": "+", "✗": "x", "…": "~", "─": "-", "•": "*"}
)


def show(digest: Digest, console: Console) -> None:
    """Print title, notes, figures, errors, the worst exchanges and, last, the verdict."""
    for part in _parts(digest, console.width >= _WIDE):
        console.print(_plainly(part, console.width) if console.options.ascii_only else part, highlight=False)


def _plainly(part: RenderableType, width: int) -> Text:
    """The same in signs that every terminal has, columns kept where they are; without colours."""
    drawing = Console(file=StringIO(), width=width, color_system=None)
    with drawing.capture() as captured:
        drawing.print(part, highlight=False)
    text = captured.get().rstrip("\n").replace("  ∞", "inf").translate(_PLAIN)
    return Text(text.encode("ascii", "replace").decode(), no_wrap=True, overflow="ignore")


def _parts(digest: Digest, wide: bool) -> Iterator[RenderableType]:
    yield Text(facts.title(digest), _HEADING)
    yield Text(facts.subject(digest), _QUIET)
    yield from (Text(f"• {plain(note, 1000)}") for note in digest.notes)
    if digest.table:
        yield Text()
        yield _figures(digest, wide)
        yield Text(facts.figures_caption(digest), _QUIET)
    if digest.singles:
        yield Text()
        yield from (_single(row) for row in digest.singles)
    yield Text()
    yield from _errors(digest)
    if digest.judgement:
        yield Text()
        yield from _judgement(digest.judgement, digest, wide)


def _figures(digest: Digest, wide: bool) -> Table:
    names = FIGURES if wide else _NARROW
    table = _table(("Metric", "Unit"), ("n", "Fail", *names))
    for row in digest.table:
        if row.label and digest.row(row.definition):
            continue  # the whole is shown, and the page has its parts
        table.add_row(*_cells(row, names))
        if row.inside:
            inside = dict(zip(FIGURES, row.numbers_with_failures(), strict=True))
            table.add_row("  failures as ∞", row.scale.name, "", "", *(inside[name] for name in names), style=_QUIET)
    return table


def _cells(row: Row, names: Sequence[str]) -> list[RenderableType]:
    numbers = dict(zip(FIGURES, row.numbers(), strict=True))
    failures = Text(units.count(row.summary.failures), _BAD if row.summary.failures else _QUIET)
    title = Text(plain(row.title, 100))
    return [title, row.scale.name, units.count(row.summary.n), failures, *(numbers[name] for name in names)]


def _single(row: Row) -> Text:
    return Text(f"{plain(row.title, 60):<34}", _QUIET).append(row.scale.quantity(row.summary.mean), "not dim")


def _errors(digest: Digest) -> Iterator[Text]:
    yield Text(facts.errors(digest), _BAD if digest.failed else "")
    for kind in digest.errors:
        line = Text(f"  {plain(kind.outcome, 40):<20} ", _BAD)
        yield line.append(
            f"{units.count(kind.count):>7} of {units.counted(kind.total, kind.what[:-1], kind.what)}, "
            f"{units.per_thousand(kind.per_thousand)} per 1,000",
            "default",
        )
    head = facts.exchange_heads(digest)[1].lower()
    for each in digest.worst[:_WORST]:
        told = facts.exchange(each)
        trace = f"{plain(each.trace_id, 32)} " if each.trace_id else ""
        yield Text(f"  worst {trace}{plain(each.outcome, 40)}, {head} {told.times[1]}, at {told.at}", _QUIET)


def _judgement(judgement: Judgement, digest: Digest, wide: bool) -> Iterator[RenderableType]:
    if judgement.rows:
        table = _table(
            ("", "Judged", "", "Unit"), ("Value", "95 % interval", "Against", *(("Change",) if wide else ()))
        )
        for row in judgement.rows:
            table.add_row(*_judged(row, digest, wide))
        yield table
        yield from (
            Text(f"{row.metric} {row.figure}: {plain(row.reason, 500)}", _STYLES[row.verdict])
            for row in judgement.rows
            if row.verdict is not Verdict.PASS
        )
    yield from (Text(facts.sentence(note), _QUIET) for note in facts.further(judgement))
    verdict = judgement.verdict
    line = Text(f"{_SIGNS[verdict]} {verdict.value.upper()}", f"bold {_STYLES[verdict]}")
    yield line.append(f"  {plain(facts.verdict(judgement), 500)}", "not bold default")


def _judged(row: Judged, digest: Digest, wide: bool) -> list[RenderableType]:
    told = facts.judged(row, digest)
    sign = Text(_SIGNS[row.verdict], _STYLES[row.verdict])
    change = f"{told.change} ({told.change_interval})" if told.change_interval else told.change
    return [sign, row.metric, row.figure, told.unit, *told.numbers, *((change,) if wide else ())]


def _table(left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style=_QUIET, border_style=_QUIET
    )
    for name in left:
        # The metric's title gives way to the figures, which are never cut.
        table.add_column(name, no_wrap=name != "Metric", overflow="fold")
    for name in right:
        table.add_column(name, no_wrap=True, justify="right")
    return table
