"""The command that shows what the embedded default has written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import tzinfo
from itertools import chain
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.text import Text

from ailoop_otel.recorded import files
from ailoop_otel.recorded.records import Span
from ailoop_otel.view import documents, summary, tables, theme, units, waterfall
from ailoop_otel.view.exchanges import Exchange
from ailoop_otel.view.filters import Wish
from ailoop_otel.view.recording import Recording, one_trace, record
from ailoop_otel.view.theme import Look

_MUCH: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class Tree:
    """A waterfall and the exchanges it shows."""

    exchanges: list[Exchange]
    spans: list[Span]


def show(wish: Wish, console: Console, *, zone: tzinfo | None = None) -> None:
    """Read the files once and print them; raises Refusal where there is nothing to show."""
    with _patience(files.size(files.find(wish.place))):
        recording, trees = _read(wish)
    if wish.json:
        for document in _documents(recording, trees, everything=not wish.trace):
            console.file.write(documents.written(document) + "\n")
        return
    totals = recording.history.totals
    look = theme.look(console, zone, (totals.first, totals.last))
    parts = [_drawn(tree, look) for tree in trees]
    if not wish.trace:
        parts = [*_overview(recording, look), *_titled(parts, trees), Group(*summary.totals(recording, look))]
    for part in parts:
        console.print(part)
        console.print()
    for trouble in summary.troubles(recording.tally):
        console.print(trouble)


def _read(wish: Wish) -> tuple[Recording, list[Tree]]:
    if wish.trace:
        recording, spans = one_trace(wish.place, wish.trace)
        return recording, [Tree(recording.history.exchanges(), spans)]
    recording = record(wish.place, wish.filters)
    return recording, _worst(recording, wish.waterfalls)


def _patience(size: int) -> AbstractContextManager[object]:
    """Say that reading takes its time, to whoever sits in front of it."""
    if size < _MUCH or not sys.stderr.isatty():
        return nullcontext()
    return Console(stderr=True).status(f"reading {units.size(size)} of telemetry")


def _titled(waterfalls: list[RenderableType], trees: list[Tree]) -> list[RenderableType]:
    if not waterfalls:
        return []
    word = "Worst" if any(exchange.badness for tree in trees for exchange in tree.exchanges) else "Slowest"
    title = Text(f"{word} exchange{'s' if len(waterfalls) > 1 else ''}", theme.HEADING)
    title.append("  --trace draws another, --waterfall N more of them", "not bold dim")
    return [Group(title, Text(), waterfalls[0]), *waterfalls[1:]]


def _worst(recording: Recording, number: int) -> list[Tree]:
    worst = recording.worst(number)
    traces = recording.traces({exchange.trace_id for exchange in worst}) if worst else {}
    return [
        Tree([exchange], waterfall.subtree(traces[exchange.trace_id], exchange))
        for exchange in worst
        if traces.get(exchange.trace_id)
    ]


def _overview(recording: Recording, look: Look) -> Iterator[RenderableType]:
    history, filters = recording.history, recording.history.filters
    sessions, exchanges = history.sessions(), history.exchanges()
    timeouts, all_timeouts = history.timeouts()
    short = units.shorten(
        session_id
        for session_id in chain(
            (session.session_id for session in sessions),
            (exchange.session_id for exchange in exchanges),
            (late.exchange.session_id for late in timeouts),
        )
    )
    calls = [call for call in history.calls.values() if call.errors or not filters.errors]
    yield summary.title(recording, look)
    if sessions and not filters.outcome:
        all_sessions = len(sessions) if filters.errors else max(len(sessions), history.totals.sessions)
        yield tables.sessions(sessions, all_sessions, look, short)
    if exchanges:
        yield tables.exchanges(exchanges, history.matching(), look, short)
    else:
        yield Text("No exchange" + (" matches." if filters.narrow else " yet."), theme.UNSURE)
    if timeouts:
        yield tables.timeouts(timeouts, all_timeouts, look, short)
    if calls and not filters.outcome:
        yield tables.calls(calls, look)


def _drawn(tree: Tree, look: Look) -> RenderableType:
    headings = [waterfall.heading(exchange, look) for exchange in tree.exchanges]
    return Group(*headings, waterfall.trace_line(tree.spans[0].trace_id), waterfall.waterfall(tree.spans, look))


def _documents(recording: Recording, trees: list[Tree], *, everything: bool) -> Iterator[dict[str, object]]:
    history = recording.history
    if everything:
        yield from map(documents.session, history.sessions())
    yield from map(documents.exchange, history.exchanges())
    yield from map(documents.timeout, history.timeouts()[0])
    if everything:
        yield from map(documents.calls, history.calls.values())
    yield from (documents.span(span) for tree in trees for span in tree.spans)
    if everything:
        yield documents.totals(history.totals, len(history.open()), recording.tally, recording.paths)
