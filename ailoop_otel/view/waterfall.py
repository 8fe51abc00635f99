"""One trace as a waterfall: the tree of its spans with bars on a common time scale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.text import Text

from ailoop_otel import names
from ailoop_otel.recorded.records import Span
from ailoop_otel.view import theme, units
from ailoop_otel.view.details import details
from ailoop_otel.view.exchanges import Exchange
from ailoop_otel.view.spent import spent
from ailoop_otel.view.theme import Look

MOST_ROWS: Final = 200
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
    """A span and how it hangs in the tree: for each level above, whether more siblings follow."""

    span: Span
    levels: tuple[bool, ...]
    children: bool


def tree(spans: Sequence[Span]) -> list[Row]:
    """The spans in the order of a tree, each once, whatever their parents say; siblings by their start."""
    distinct = {span.span_id: span for span in sorted(spans, key=lambda span: (span.start, span.end))}
    below: defaultdict[str, list[Span]] = defaultdict(list)
    for span in distinct.values():
        below[span.parent_id].append(span)
    roots = [span for span in distinct.values() if span.parent_id not in distinct]
    seen: set[str] = set()
    # A circle of parents has no root: whoever is left after the roots begins a tree of their own.
    return [row for root in [*roots, *distinct.values()] for row in _walk(root, below, seen)]


def subtree(spans: Sequence[Span], exchange: Exchange) -> list[Span]:
    """The spans of one exchange, where a client's trace holds several; all of them while its root is unknown."""
    chosen = {exchange.span_id}
    latest = chosen
    while latest:
        latest = {span.span_id for span in spans if span.parent_id in latest} - chosen
        chosen = chosen | latest
    return [span for span in spans if span.span_id in chosen] or list(spans)


def heading(exchange: Exchange, look: Look) -> Text:
    """What the exchange came to."""
    text = Text().append(look.clock(exchange.start), theme.HEADING)
    dot = f" {look.signs.dot} "
    text.append(dot, theme.QUIET).append_text(look.exchange(exchange))
    for label, value in (
        ("", units.duration(exchange.seconds)),
        ("first chunk ", units.duration(exchange.first_chunk)),
        ("session ", units.brief(exchange.session_id)),
    ):
        if value not in ("", units.NOTHING):
            text.append(dot, theme.QUIET).append(label, theme.QUIET).append(value)
    if exchange.open:
        text.append("\nits end has not come: it is still running, or its server was killed", theme.UNSURE)
    return text


def trace_line(trace_id: str) -> Text:
    """The whole trace id, for whoever looks it up elsewhere."""
    return Text("trace ", theme.QUIET).append(trace_id, "default")


def waterfall(spans: Sequence[Span], look: Look) -> RenderableType:
    """The tree of spans with their bars, and how many of them there was no room for."""
    rows = tree(spans)
    shown = rows[:MOST_ROWS]
    scale = _Scale.over(shown, look)
    lines = [scale.ruler()]
    for row in shown:
        lines.extend(_lines(row, scale))
    if len(rows) > len(shown):
        lines.append(Text(f"… and {units.counted(len(rows) - len(shown), 'span')} more", theme.QUIET))
    return Group(*lines)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Columns of the drawing, and which time is where."""

    look: Look
    start: int
    length: int
    label: int
    bar: int
    details: int

    @classmethod
    def over(cls, rows: Sequence[Row], look: Look) -> _Scale:
        start = min(row.span.start for row in rows)
        wide, width = look.wide, look.console.width
        longest = max(_label(row, look).cell_len for row in rows)
        label = min(longest + 1, _LABEL_WIDE if wide else _LABEL_NARROW, width // 2)
        rest = max(8, width - label - _DURATION - 3)
        bar = rest * 2 // 5 if wide else rest
        return cls(
            look=look,
            start=start,
            length=max(1, max(row.span.end for row in rows) - start),
            label=label,
            bar=bar,
            details=rest - bar,
        )

    def ruler(self) -> Text:
        end = units.duration(self.length / 1e9)
        middle = units.duration(self.length / 2e9) if self.bar >= 40 else ""
        marks = "0" + middle.rjust(self.bar // 2 - 1 + len(middle) // 2)
        return Text(" " * (self.label + 1) + marks + end.rjust(self.bar - len(marks)), theme.QUIET)

    def bar_of(self, span: Span) -> Text:
        """Draw a bar in half cells; a span too short to be seen still gets one."""
        begin = min(self._half(span.start), 2 * self.bar - 1)
        end = min(max(self._half(span.end), begin + 1), 2 * self.bar)
        signs = self.look.signs
        body = (signs.left if begin % 2 else "") + signs.stream * (end // 2 - -(-begin // 2))
        body += signs.right if end % 2 and end > begin + begin % 2 else ""
        return Text(set_cell_size(" " * (begin // 2) + body, self.bar), _colour(span))

    def _half(self, time: int) -> int:
        return round(2 * self.bar * (time - self.start) / self.length)


def _walk(root: Span, below: dict[str, list[Span]], seen: set[str]) -> Iterator[Row]:
    pending: list[tuple[Span, tuple[bool, ...]]] = [(root, ())]
    while pending:
        span, levels = pending.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        children = [child for child in below.get(span.span_id, ()) if child.span_id not in seen]
        yield Row(span, levels, bool(children))
        pending.extend(
            (child, (*levels, position < len(children) - 1)) for position, child in reversed(list(enumerate(children)))
        )


def _lines(row: Row, scale: _Scale) -> Iterator[Text]:
    look, span = scale.look, row.span
    label = _label(row, look)
    label.truncate(scale.label, overflow="ellipsis", pad=True)
    line = Text() + label + " " + scale.bar_of(span) + units.duration(span.seconds).rjust(_DURATION)
    told = Text(details(span).replace("·", look.signs.dot), theme.QUIET)
    if scale.details:
        told.truncate(scale.details, overflow="ellipsis")
        yield line + "  " + told if told else line
    else:
        yield line
        if told:
            told = Text(_guides_below(row, look), theme.QUIET) + told
            told.truncate(look.console.width, overflow="ellipsis")
            yield told
    yield from _time(row, look)


def _time(row: Row, look: Look) -> Iterator[Text]:
    """Where an exchange's time went, under its root; broken only between its parts."""
    told = spent(row.span)
    words = list(told.words()) if told else []
    guides, dot = _guides_below(row, look), f" {look.signs.dot} "
    head = "time  "
    while words:
        line, room = words.pop(0), look.console.width - len(guides) - len(head)
        while words and len(line) + len(dot) + len(words[0]) <= room:
            line += dot + words.pop(0)
        text = Text(guides + head, theme.QUIET).append(line, "not dim")
        text.truncate(look.console.width, overflow="ellipsis")
        yield text
        head = " " * len(head)


def _label(row: Row, look: Look) -> Text:
    label = Text(_guides(row, look), theme.QUIET)
    label.append(row.span.name, f"not dim {theme.BAD}" if row.span.error else "not dim")
    return label.append(f" {look.signs.error}" if row.span.error else "", theme.BAD)


def _guides(row: Row, look: Look) -> str:
    if not row.levels:
        return ""
    return _trunks(row.levels[:-1], look) + (look.signs.branch if row.levels[-1] else look.signs.last)


def _guides_below(row: Row, look: Look) -> str:
    """Guides for the line under a span, leading on to what follows it."""
    return _trunks(row.levels, look) + (look.signs.trunk if row.children else "   ")


def _trunks(levels: tuple[bool, ...], look: Look) -> str:
    blank = " " * cell_len(look.signs.trunk)
    return "".join(look.signs.trunk if more else blank for more in levels[-_DEEPEST:])


def _colour(span: Span) -> str:
    if span.error:
        return theme.BAD
    return next((colour for prefix, colour in _COLOURS if span.name.startswith(prefix)), theme.LIVE)
