"""`ailoop-otel traces`: shows what the embedded default has written."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.text import Text

from ailoop_otel import units
from ailoop_otel.recorded.files import find, size
from ailoop_otel.recorded.records import LogEvent, Span
from ailoop_otel.terminal import Terminal
from ailoop_otel.view import json_output, overview, theme, waterfall
from ailoop_otel.view.exchanges import Exchange
from ailoop_otel.view.options import TracesOptions
from ailoop_otel.view.theme import Look
from ailoop_otel.view.trace_files import TraceFiles, read_all, read_trace

_SLOW_TO_READ: Final = 20_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Tree:
    """The spans of one waterfall and the exchanges among them."""

    exchanges: list[Exchange]
    spans: list[Span]
    events: Sequence[LogEvent] = ()


def show(options: TracesOptions, console: Console, *, zone: tzinfo | None = None) -> None:
    """Read the files once and print what they hold; raises UsageError if there is no telemetry."""
    with _progress(size(find(options.place))):
        found, trees = _read(options)
    if options.json:
        json_output.write(console, *_documents(found, trees, everything=not options.trace))
        if options.trace:
            overview.warn(found.counts, found.paths)
        return
    totals = found.aggregator.totals
    look = theme.look(console, zone, (totals.first, totals.last))
    parts = [_drawn(tree, look, options) for tree in trees]
    if not options.trace:
        parts = [*overview.tables(found, look), *_titled(parts, trees), Group(*overview.totals(found, look))]
    for part in parts:
        console.print(part)
        console.print()
    for warning in overview.warnings(found.counts, found.paths):
        console.print(warning)


def _read(options: TracesOptions) -> tuple[TraceFiles, list[Tree]]:
    if options.trace:
        found, spans, events = read_trace(options.place, options.trace)
        return found, [Tree(found.aggregator.exchanges(), spans, events)]
    found = read_all(options.place, options.filters)
    return found, _worst(found, options.waterfalls)


def _progress(total: int) -> AbstractContextManager[object]:
    """A notice on a terminal while `total` bytes are read, if that takes time."""
    if total < _SLOW_TO_READ or not sys.stderr.isatty():
        return nullcontext()
    return Terminal(stderr=True).status(f"reading {units.size(total)} of telemetry")


def _titled(waterfalls: list[RenderableType], trees: list[Tree]) -> list[RenderableType]:
    if not waterfalls:
        return []
    word = "Worst" if any(exchange.severity for tree in trees for exchange in tree.exchanges) else "Slowest"
    title = Text(f"{word} exchange{'s' if len(waterfalls) > 1 else ''}", theme.HEADING)
    title.append("  --trace draws another, --waterfall N more of them", "not bold dim")
    return [Group(title, Text(), waterfalls[0]), *waterfalls[1:]]


def _worst(found: TraceFiles, number: int) -> list[Tree]:
    """Of the exchanges shown the most severe, of these the longest; in order of time."""
    shown = found.aggregator.exchanges()
    ranked = sorted(shown, key=lambda exchange: (exchange.severity, exchange.seconds), reverse=True)
    worst = sorted(ranked[: max(0, number)], key=lambda exchange: exchange.start)
    traces = found.traces({exchange.trace_id for exchange in worst}) if worst else {}
    return [
        Tree([exchange], waterfall.subtree(traces[exchange.trace_id], exchange))
        for exchange in worst
        if traces.get(exchange.trace_id)
    ]


def _drawn(tree: Tree, look: Look, options: TracesOptions) -> RenderableType:
    headings = [waterfall.heading(exchange, look) for exchange in tree.exchanges]
    shown = waterfall.with_events(tree.spans, tree.events)
    drawn = waterfall.waterfall(shown, look, depth=options.depth, only=options.only)
    return Group(*headings, waterfall.trace_line(tree.spans[0].trace_id), drawn)


def _documents(found: TraceFiles, trees: list[Tree], *, everything: bool) -> Iterator[dict[str, object]]:
    aggregator = found.aggregator
    if everything:
        yield from map(json_output.session, aggregator.shown_sessions())
    yield from map(json_output.exchange, aggregator.exchanges())
    yield from map(json_output.timeout, aggregator.timeouts()[0])
    if everything:
        yield from map(json_output.calls, aggregator.shown_calls())
    yield from (json_output.span(span) for tree in trees for span in tree.spans)
    yield from (json_output.event(event) for tree in trees for event in tree.events)
    if everything:
        yield json_output.totals(aggregator.totals, len(aggregator.open()), found.counts, found.paths)
