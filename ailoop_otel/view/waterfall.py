"""One trace as a waterfall: the tree of its spans, with bars on a common time scale and the main attributes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.text import Text

from ailoop_otel import names, units
from ailoop_otel.recorded.records import LogEvent, Span
from ailoop_otel.view import theme
from ailoop_otel.view.attributes import summary
from ailoop_otel.view.exchanges import Exchange, time_breakdown
from ailoop_otel.view.theme import Look

MOST_ROWS: Final = 200
# The scope of log events among the spans.
EVENT: Final = "log event"
_DEEPEST: Final = 12
_LABEL_NARROW, _LABEL_WIDE = 36, 48
_DURATION: Final = 9
_COLOURS: Final = (
    (names.SPAN_FIRST_CHUNK, theme.UNSURE),
    (names.SPAN_STREAM, theme.GOOD),
    ("chat ", "blue"),
    ("execute_tool ", "magenta"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A span and its place in the tree; `levels` holds for the levels above whether more siblings follow.

    The outermost levels are left out where they are too many to be drawn. `below` counts rows that are folded.
    """

    span: Span
    levels: tuple[bool, ...]
    children: bool
    level: int = 0
    below: int = 0


def tree(spans: Sequence[Span]) -> list[Row]:
    """The spans in the order of a tree, siblings by start; each occurs once, even if parents form a cycle."""
    distinct = {span.span_id: span for span in sorted(spans, key=lambda span: (span.start, span.end))}
    below: defaultdict[str, list[Span]] = defaultdict(list)
    for span in distinct.values():
        below[span.parent_id].append(span)
    roots = [span for span in distinct.values() if span.parent_id not in distinct]
    seen: set[str] = set()
    # A cycle of parents has no root: each span that the roots did not reach starts a tree of its own.
    return [row for root in [*roots, *distinct.values()] for row in _walk(root, below, seen)]


def subtree(spans: Sequence[Span], exchange: Exchange) -> list[Span]:
    """The spans of one exchange, as a client's trace may hold several; all spans if its root span is unknown."""
    below: defaultdict[str, list[str]] = defaultdict(list)
    for span in spans:
        below[span.parent_id].append(span.span_id)
    chosen: set[str] = set()
    pending = [exchange.span_id]
    while pending:
        parent = pending.pop()
        if parent not in chosen:
            chosen.add(parent)
            pending.extend(below[parent])
    return [span for span in spans if span.span_id in chosen] or list(spans)


def heading(exchange: Exchange, look: Look) -> Text:
    """The line above a waterfall: time, outcome, duration, first chunk and session of an exchange."""
    text = Text().append(look.clock(exchange.start), theme.HEADING)
    dot = f" {theme.DOT} "
    text.append(dot, theme.QUIET).append_text(look.exchange(exchange))
    for label, value in (
        ("", units.duration(exchange.seconds)),
        ("first chunk ", units.duration(exchange.first_chunk)),
        ("session ", units.brief(exchange.session_id)),
    ):
        if value not in ("", units.NOTHING):
            text.append(dot, theme.QUIET).append(label, theme.QUIET).append(value)
    if exchange.lost:
        text.append(f"\nits server ended at {look.clock(exchange.lost)}, before its answer was complete", theme.BAD)
    elif exchange.open:
        text.append("\nits end has not come: it is still running, or its server was killed", theme.UNSURE)
    return text


def trace_line(trace_id: str) -> Text:
    """The complete trace id, to look it up in another tool."""
    return Text("trace ", theme.QUIET).append(trace_id, "default")


def with_events(spans: Sequence[Span], events: Sequence[LogEvent]) -> list[Span]:
    """The spans, and each log event as a span without duration below the span that it is of."""
    return [
        *spans,
        *(
            Span(
                trace_id=event.trace_id,
                span_id=f"{EVENT} {number}",
                parent_id=event.span_id,
                name=event.name,
                server=False,
                start=event.time,
                end=event.time,
                attributes=event.attributes,
                error=False,
                links=(),
                scope=EVENT,
            )
            for number, event in enumerate(events)
        ),
    ]


def folded(rows: Sequence[Row], depth: int, only: str) -> list[Row]:
    """The rows down to a depth below the roots, 0 for all, and those with `only` in their names, below the roots."""
    if only:
        rows = [replace(row, levels=(), children=False) for row in rows if not row.level or only in row.span.name]
    kept: list[Row] = []
    for row in rows:
        if not depth or row.level <= depth:
            kept.append(row)
        else:
            kept[-1] = replace(kept[-1], children=False, below=kept[-1].below + 1)
    return kept


def waterfall(spans: Sequence[Span], look: Look, length: int = 0, *, depth: int = 0, only: str = "") -> RenderableType:
    """The tree of spans with their bars, and how many spans were left out; `depth` and `only` as in `folded`.

    `length` is what the bars' width stands for in nanoseconds, if it is longer than the spans.
    """
    rows = folded(tree(spans), depth, only)
    shown = rows[:MOST_ROWS]
    scale = _Scale.over(shown, look, length)
    lines = [scale.ruler()]
    for row in shown:
        lines.extend(_row_lines(row, scale))
    if len(rows) > len(shown):
        lines.append(Text(f"… and {units.counted(len(rows) - len(shown), 'span')} more", theme.QUIET))
    return Group(*lines)


@dataclass(frozen=True, slots=True)
class _Scale:
    """The widths of the columns in cells, and the mapping from times to cells."""

    look: Look
    start: int
    length: int
    label: int
    bar: int
    attributes: int

    @classmethod
    def over(cls, rows: Sequence[Row], look: Look, length: int) -> _Scale:
        start = min(row.span.start for row in rows)
        wide, width = look.wide, look.console.width
        longest = max(_label(row).cell_len for row in rows)
        label = min(longest + 1, _LABEL_WIDE if wide else _LABEL_NARROW, width // 2)
        rest = max(8, width - label - _DURATION - 3)
        bar = rest * 2 // 5 if wide else rest
        length = max(1, length, max(row.span.end for row in rows) - start)
        return cls(look, start, length, label, bar, attributes=rest - bar)

    def ruler(self) -> Text:
        end = units.duration(self.length / 1e9)
        middle = units.duration(self.length / 2e9) if self.bar >= 40 else ""
        marks = "0" + middle.rjust(self.bar // 2 - 1 + len(middle) // 2)
        return Text(" " * (self.label + 1) + marks + end.rjust(self.bar - len(marks)), theme.QUIET)

    def bar_of(self, span: Span) -> Text:
        """Draw a bar in steps of half a cell, at least half a cell long."""
        begin = min(self._half(span.start), 2 * self.bar - 1)
        end = min(max(self._half(span.end), begin + 1), 2 * self.bar)
        if span.scope == EVENT:
            return Text(set_cell_size(" " * min(begin // 2, self.bar - 1) + theme.EVENT, self.bar), theme.UNSURE)
        body = (theme.LEFT if begin % 2 else "") + theme.STREAM * (end // 2 - -(-begin // 2))
        body += theme.RIGHT if end % 2 and end > begin + begin % 2 else ""
        return Text(set_cell_size(" " * (begin // 2) + body, self.bar), _colour(span))

    def _half(self, time: int) -> int:
        return round(2 * self.bar * (time - self.start) / self.length)


def _walk(root: Span, below: dict[str, list[Span]], seen: set[str]) -> Iterator[Row]:
    pending: list[tuple[Span, tuple[bool, ...], int]] = [(root, (), 0)]
    while pending:
        span, levels, level = pending.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        children = [child for child in below.get(span.span_id, ()) if child.span_id not in seen]
        yield Row(span, levels, bool(children), level)
        pending.extend(
            (child, (*levels[-_DEEPEST:], position < len(children) - 1), level + 1)
            for position, child in reversed(list(enumerate(children)))
        )


def _row_lines(row: Row, scale: _Scale) -> Iterator[Text]:
    look, span = scale.look, row.span
    label = _label(row)
    label.truncate(scale.label, overflow="ellipsis", pad=True)
    line = Text() + label + " " + scale.bar_of(span)
    line.append(("" if span.scope == EVENT else units.duration(span.seconds)).rjust(_DURATION))
    attributes = Text(summary(span), theme.QUIET)
    if scale.attributes:
        attributes.truncate(scale.attributes, overflow="ellipsis")
        yield line + "  " + attributes if attributes else line
    else:
        yield line
        if attributes:
            attributes = Text(_guides_below(row), theme.QUIET) + attributes
            attributes.truncate(look.console.width, overflow="ellipsis")
            yield attributes
    yield from _breakdown(row, look)


def _breakdown(row: Row, look: Look) -> Iterator[Text]:
    """Where an exchange's time went, below its root span; lines break only between the parts."""
    head, parts = _guides_below(row) + "time  ", map(Text, time_breakdown(row.span))
    for line in theme.lines(parts, look.console.width - cell_len(head), f" {theme.DOT} "):
        text = Text().append(head, theme.QUIET) + line
        text.truncate(look.console.width, overflow="ellipsis")
        yield text
        head = head.replace("time", "    ")


def _label(row: Row) -> Text:
    label = Text(_guides(row), theme.QUIET)
    label.append(row.span.name, f"not dim {theme.BAD}" if row.span.error else "not dim")
    label.append(f" {theme.ERROR}" if row.span.error else "", theme.BAD)
    return label.append(f" +{row.below}" if row.below else "", theme.QUIET)


def _guides(row: Row) -> str:
    if not row.levels:
        return ""
    return _trunks(row.levels[:-1]) + (theme.BRANCH if row.levels[-1] else theme.LAST)


def _guides_below(row: Row) -> str:
    """The guides of a line below a span, which connect to the rows that follow."""
    return _trunks(row.levels) + (theme.TRUNK if row.children else "   ")


def _trunks(levels: tuple[bool, ...]) -> str:
    blank = " " * cell_len(theme.TRUNK)
    return "".join(theme.TRUNK if more else blank for more in levels[-_DEEPEST:])


def _colour(span: Span) -> str:
    if span.error:
        return theme.BAD
    return next((colour for prefix, colour in _COLOURS if span.name.startswith(prefix)), theme.LIVE)
