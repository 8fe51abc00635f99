"""The overview of `ailoop-otel traces`: title, tables of sessions, exchanges, AI timeouts and calls, and totals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ailoop_otel import units
from ailoop_otel.recorded.files import ReadCounts, size
from ailoop_otel.terminal import Terminal
from ailoop_otel.view import theme
from ailoop_otel.view.exchanges import Calls, DurationHistogram, Exchange, Session, Timeout
from ailoop_otel.view.options import LOST, OPEN
from ailoop_otel.view.theme import Look
from ailoop_otel.view.trace_files import TraceFiles, only_undelivered, sent_elsewhere
from ailoop_otel.view.usage import Usage

_SHORTEST_BAR, _LONGEST_BAR = 3, 24
# The cells that the columns of the exchanges need which are always there, so that no common outcome is cut.
_NARROW, _WIDE, _DAY = 61, 83, 6
# The same of the sessions, without their state.
_NARROW_SESSION_COLUMNS, _SESSION_COLUMNS = 43, 55
# From this width on the table shows what took most of an exchange's time.
_ROOMY: Final = 110
_MOSTLY: Final = "Mostly"
_LABEL: Final = 13
_ENDINGS: Final = {OPEN: "still open"}
_GAP: Final = "   "


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that is there where it has something to show, and room."""

    title: str
    cells: Sequence[str]

    @property
    def width(self) -> int:
        """Cells that it needs."""
        return max(map(cell_len, (self.title, *self.cells)))


def tables(files: TraceFiles, look: Look) -> Iterator[RenderableType]:
    """The title and the tables; a table without rows is left out."""
    aggregator, filters = files.aggregator, files.aggregator.filters
    sessions, exchanges, calls = aggregator.shown_sessions(), aggregator.exchanges(), aggregator.shown_calls()
    timeouts, all_timeouts = aggregator.timeouts()
    named: list[Session | Exchange] = [*sessions, *exchanges, *(timeout.exchange for timeout in timeouts)]
    short = units.shorten(each.session_id for each in named)
    yield _title(files, look)
    if sessions:
        all_sessions = len(sessions) if filters.errors else max(len(sessions), aggregator.totals.sessions)
        yield _sessions(sessions, all_sessions, look, short)
    if exchanges:
        yield _exchanges(exchanges, aggregator.matching(), look, short)
    else:
        yield Text("No exchange" + (" matches." if filters.narrow else " yet."), theme.UNSURE)
        if elsewhere := sent_elsewhere():
            yield Text(f"{elsewhere}.", theme.UNSURE)
    if timeouts:
        yield _timeouts(timeouts, all_timeouts, look, short)
    if calls:
        yield _calls(calls, look)


def _title(files: TraceFiles, look: Look) -> Text:
    totals = files.aggregator.totals
    text = Text("AILoop telemetry", theme.HEADING)
    text.append(f"  {files.place}", "not bold")
    if totals.first:
        day = "" if look.day else f"{units.day(totals.first, look.zone)}, "
        text.append(f"  {day}{look.clock(totals.first)} to {look.clock(totals.last)}", "not bold dim")
    return text


def _sessions(rows: Sequence[Session], total: int, look: Look, short: dict[str, str]) -> RenderableType:
    """One row per session, newest last."""
    states = [_state(row, look) for row in rows]
    lasted = [units.duration(row.seconds) if row.started else units.NOTHING for row in rows]
    always = (_SESSION_COLUMNS if look.wide else _NARROW_SESSION_COLUMNS) + (_DAY if look.day else 0)
    room = look.console.width - always - max(state.cell_len for state in states)
    used, _ = _that_fit([[column] for column in _used_columns([row.usage for row in rows])], room, look)
    right = ("Lasted", "Turns", "Errors", *(column.title for column in used))
    table = _table(look, ("Session", "Started", "State"), right, flexible=2)
    for number, row in enumerate(rows):
        table.add_row(
            short.get(row.session_id, row.session_id),
            look.clock(row.started),
            states[number],
            lasted[number] if row.ended or row.lost or not row.started else f"> {lasted[number]}",
            units.count(row.turns),
            _errors(row.errors),
            *(column.cells[number] for column in used),
        )
    return _section("Sessions", _shown(len(rows), total), table)


def _exchanges(rows: Sequence[Exchange], total: int, look: Look, short: dict[str, str]) -> RenderableType:
    """One row per exchange, newest last; the bar shows its duration before and after the first chunk."""
    columns, room = _exchange_columns(rows, look)
    stretch = [column.title for column in columns]
    table = _table(look, ("Time", "Session", "Outcome"), ("First", "Took", "", *stretch, "Trace"), flexible=2)
    for column in table.columns:
        column.justify = "left" if column.header in ("", _MOSTLY) else column.justify
    longest, width = max((row.seconds for row in rows), default=0.0), min(_LONGEST_BAR, room)
    width = width if width >= _SHORTEST_BAR else 0
    for number, row in enumerate(rows):
        took = units.duration(row.seconds)
        table.add_row(
            look.clock(row.start),
            short.get(row.session_id, row.session_id or units.NOTHING),
            look.exchange(row),
            units.duration(row.first_chunk),
            f"> {took}" if row.open else took,
            _bar(row, longest, width),
            *(column.cells[number] for column in columns),
            row.trace_id[:8],
        )
    legend = Text("   ", theme.QUIET)
    legend.append(f"{theme.WAIT * 2} until the first chunk  {theme.STREAM * 2} after it", theme.QUIET)
    return _section("Exchanges", _shown(len(rows), total), table, legend if width else None)


def _exchange_columns(rows: Sequence[Exchange], look: Look) -> tuple[list[_Column], int]:
    """The columns of exchanges beside those that are always there, and how many cells are left for the bar."""
    chunks = _Column("Chunks", [units.count(row.chunks) for row in rows])
    gaps = _Column("Max gap" if look.wide else "Gap", [units.duration(row.max_gap) for row in rows])
    mostly = _Column(_MOSTLY, [row.mostly or units.NOTHING for row in rows])
    named = [mostly] if look.console.width >= _ROOMY and any(row.mostly for row in rows) else []
    used = _used_columns([row.usage for row in rows])
    groups = (*([column] for column in used[:2]), [chunks, gaps], named, *([column] for column in used[2:]))
    room = look.console.width - (_WIDE if look.wide else _NARROW) - (_DAY if look.day else 0)
    chosen, room = _that_fit(groups, room, look)
    return [column for column in (mostly, chunks, gaps, *used) if column in chosen], room


def _timeouts(rows: Sequence[Timeout], total: int, look: Look, short: dict[str, str]) -> RenderableType:
    """One row per AI timeout, newest last."""
    table = _table(look, ("Time", "Session", "Phase", "Waits on", "Became"), ("Limit", "Noticed", "Trace"), flexible=4)
    for row in rows:
        table.add_row(
            look.clock(row.noticed),
            short.get(row.exchange.session_id, row.exchange.session_id or units.NOTHING),
            row.phase or units.NOTHING,
            row.waiting_for or units.NOTHING,
            look.outcome(LOST) if row.exchange.lost else look.outcome(row.ending, _ENDINGS.get(row.ending, "")),
            units.span_of_time(row.deadline),
            units.NOTHING if row.delay is None else f"+{units.duration(row.delay)}",
            row.exchange.trace_id[:8],
        )
    return _section("AI timeouts", _shown(len(rows), total), table)


def _calls(rows: Sequence[Calls], look: Look) -> RenderableType:
    """One row per JSON-RPC method of the calls that start no exchange."""
    table = _table(look, ("Method",), ("Calls", "Errors", "p50", "Max"))
    for row in sorted(rows, key=lambda calls: (-calls.durations.count, calls.method)):
        table.add_row(
            row.method,
            units.count(row.durations.count),
            _errors(row.errors),
            units.duration(row.durations.percentile(0.5)),
            units.duration(row.durations.largest),
        )
    return _section("Other calls", "", table)


def totals(files: TraceFiles, look: Look) -> Iterator[Text]:
    """The lines below the tables: counts over everything, and where the files are."""
    counts = files.aggregator.totals
    yield _line("Exchanges", _outcomes(files, look), look)
    if counts.durations.count:
        yield _line("First chunk", _percentiles(counts.first_chunks), look)
        yield _line("Took", _percentiles(counts.durations), look)
    if used := counts.usage.words():
        yield _line("Used", [Text(used)], look)
    also = [
        f"{units.counted(counts.sessions, 'session')} started, {counts.sessions_ended:,} ended",
        units.counted(counts.timeouts, "AI timeout"),
        units.counted(counts.spans, "span"),
    ]
    if counts.server_starts or counts.server_stops:
        starts = units.counted(counts.server_starts, "server start")
        also.append(f"{starts}, {units.counted(counts.server_stops, 'stop')}")
    yield _line("Also", [Text(part) for part in also], look)
    where = f"{units.counted(len(files.paths), 'file')} in {files.place}, {units.size(size(files.paths))}"
    yield _line("Files", [Text(where)], look)


def warnings(counts: ReadCounts, paths: Sequence[Path] = ()) -> Iterator[Text]:
    """One line for each way in which something is missing in these files, or could not be read."""
    if note := only_undelivered(paths):
        yield Text(f"{note[0].upper()}{note[1:]}", theme.UNSURE)
    if counts.half_written:
        which = ", ".join(sorted(set(counts.half_written))[:3])
        yield Text(
            f"{units.counted(len(counts.half_written), 'last line')} half-written and ignored: {which} "
            "(its server is writing now, or was killed)",
            theme.UNSURE,
        )
    if counts.skipped:
        yield Text(
            f"{units.counted(counts.skipped, 'line')} could not be read and "
            f"{'was' if counts.skipped == 1 else 'were'} skipped, the first in {counts.skipped_at}",
            theme.UNSURE,
        )
    if counts.backwards:
        which = "ends before it starts and was" if counts.backwards == 1 else "end before they start and were"
        yield Text(f"{units.counted(counts.backwards, 'span')} {which} left out", theme.UNSURE)
    if counts.unreadable:
        yield Text(f"could not be read: {', '.join(counts.unreadable)}", theme.BAD)


def warn(counts: ReadCounts, paths: Sequence[Path]) -> None:
    """Print the warnings on the error output, where the output is JSON that has no place for them."""
    console = Terminal(stderr=True)
    for warning in warnings(counts, paths):
        console.print(warning, soft_wrap=True)


def _used_columns(rows: Sequence[Usage]) -> list[_Column]:
    """The columns of what was used, the most asked for first; one without any value is left out."""
    columns = (
        _Column("In/out", [row.tokens for row in rows]),
        _Column("Cost", [row.price for row in rows]),
        _Column("Cached", ["" if row.cached is None else units.count(row.cached) for row in rows]),
        _Column("Reasoning", ["" if row.reasoning is None else units.count(row.reasoning) for row in rows]),
    )
    return [_Column(each.title, [cell or units.NOTHING for cell in each.cells]) for each in columns if any(each.cells)]


def _that_fit(groups: Iterable[Sequence[_Column]], room: int, look: Look) -> tuple[list[_Column], int]:
    """The columns of the groups that there is room for, one group after the other, and how many cells are left."""
    chosen: list[_Column] = []
    for group in groups:
        needed = sum(column.width + (3 if look.wide else 1) for column in group)
        if needed <= room:
            room -= needed
            chosen += group
    return chosen, room


def _table(look: Look, left: Sequence[str], right: Sequence[str], flexible: int = 0) -> Table:
    # Rich shrinks only columns that may wrap. The cells of the flexible column do not wrap: they are cut.
    table = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 2 if look.wide else 0, 0, 0),
        header_style=theme.QUIET,
        border_style=theme.QUIET,
    )
    for position, name in enumerate(left):
        table.add_column(name, no_wrap=position != flexible)
    for name in right:
        table.add_column(name, no_wrap=True, justify="right")
    return table


def _section(title: str, shown: str, table: Table, legend: Text | None = None) -> RenderableType:
    heading = Text().append(title, theme.HEADING)
    heading.append(f"  {shown}" if shown else "", theme.QUIET)
    heading.append_text(legend or Text())
    return Group(heading, table)


def _shown(shown: int, total: int) -> str:
    return f"{total:,}" if shown >= total else f"the newest {shown:,} of {total:,}"


def _errors(number: int) -> Text:
    return Text(units.count(number), theme.BAD if number else "")


def _state(session: Session, look: Look) -> Text:
    if session.ended:
        text = Text(f"{theme.OFF} ended", theme.QUIET)
        text.append(f" {theme.DOT} {session.end_reason}" if session.end_reason else "", "not dim")
    elif session.lost:
        text = Text(f"{theme.OFF} ended with the server, {look.clock(session.lost)}", theme.QUIET)
    else:
        text = Text(f"{theme.ON} open", theme.LIVE)
    if session.resumed:
        text.append(f" {theme.AGAIN} resumed", theme.UNSURE)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _bar(exchange: Exchange, longest: float, width: int) -> Text:
    cells = max(1, round(width * exchange.seconds / longest)) if longest and width else 0
    share = 1.0 if exchange.first_chunk is None else exchange.first_chunk / (exchange.seconds or 1.0)
    waited = min(cells, round(cells * share))
    style = theme.style(exchange.outcome)
    return Text(theme.WAIT * waited + theme.STREAM * (cells - waited), style)


def _outcomes(files: TraceFiles, look: Look) -> list[Text]:
    counts, unfinished = files.aggregator.totals.outcomes, files.aggregator.open()
    lost = sum(exchange.lost > 0 for exchange in unfinished)
    parts = [Text(f"{counts.total() + len(unfinished):,}")]
    parts += [look.outcome(outcome, f"{number:,} {outcome}") for outcome, number in counts.most_common()]
    parts += [look.outcome(OPEN, f"{len(unfinished) - lost:,} {OPEN}")] if len(unfinished) > lost else []
    return [*parts, look.outcome(LOST, f"{lost:,} {LOST} with the server")] if lost else parts


def _percentiles(durations: DurationHistogram) -> list[Text]:
    if not durations.count:
        return [Text(units.NOTHING)]
    values = (("p50", durations.percentile(0.5)), ("p95", durations.percentile(0.95)), ("max", durations.largest))
    return [Text(f"{label} {units.duration(seconds)}") for label, seconds in values]


def _line(label: str, parts: Sequence[Text], look: Look) -> Text:
    """A label and its parts side by side; the line breaks only between parts."""
    line = Text().append(f"{label:<{_LABEL}}", theme.QUIET)
    broken = theme.lines(parts, look.console.width - _LABEL, _GAP)
    return line + Text("\n" + " " * _LABEL).join(broken)
