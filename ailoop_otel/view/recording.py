"""What the files hold, read from the first line to the last in bounded memory."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ailoop_otel.names import SETTING_ENABLED
from ailoop_otel.recorded.files import Tally, find, read
from ailoop_otel.recorded.records import Span
from ailoop_otel.view.exchanges import Exchange
from ailoop_otel.view.filters import Filters, Refusal
from ailoop_otel.view.history import History

# A waterfall shows far fewer; a trace that goes on for ever must not fill memory.
_MOST_SPANS: Final = 5_000
_MOST_NAMED: Final = 5
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Recording:
    """One reading of a directory's files."""

    place: Path
    paths: list[Path]
    history: History
    tally: Tally

    def traces(self, trace_ids: Collection[str]) -> dict[str, list[Span]]:
        """All spans of these traces, read a second time: which ones are wanted shows only at the end of the first."""
        kept: defaultdict[str, list[Span]] = defaultdict(list)
        # Tally were counted the first time.
        for span in _spans(self.paths, trace_ids, Tally()):
            if span.trace_id in trace_ids and len(kept[span.trace_id]) < _MOST_SPANS:
                kept[span.trace_id].append(span)
        return kept

    def worst(self, number: int) -> list[Exchange]:
        """Of the exchanges shown those most worth a look, the longest of them first; in order of time."""
        shown = self.history.exchanges()
        ranked = sorted(shown, key=lambda exchange: (exchange.badness, exchange.seconds), reverse=True)
        return sorted(ranked[: max(0, number)], key=lambda exchange: exchange.start)


def record(place: Path, filters: Filters) -> Recording:
    """Read everything once; raises Refusal where there is nothing of ours."""
    paths = existing(place)
    tally, history = Tally(), History(filters)
    for batch in read(paths, tally):
        for span in batch.spans:
            history.add(span)
        for event in batch.events:
            history.note(event)
    if not tally.understood:
        raise Refusal(_unreadable(place, tally))
    return Recording(place, paths, history, tally)


def one_trace(place: Path, prefix: str) -> tuple[Recording, list[Span]]:
    """The spans of the one trace whose id begins so; raises Refusal where there is none or more than one."""
    beginning = prefix.strip().lower()
    if not beginning or not set(beginning) <= _HEX:
        raise Refusal(f"--trace {prefix!r} is no trace id: it takes the first hexadecimal digits of one")
    paths = existing(place)
    tally, kept = Tally(), defaultdict[str, list[Span]](list)
    for span in _spans(paths, [beginning], tally):
        if span.trace_id.startswith(beginning) and len(kept[span.trace_id]) < _MOST_SPANS:
            kept[span.trace_id].append(span)
            if len(kept) > _MOST_NAMED:
                break
    if not kept:
        raise Refusal(f"no trace in {place} begins with {prefix}: leave --trace out to see which there are")
    if len(kept) > 1:
        raise Refusal(f"several traces begin with {prefix}: give more of one of {_named(sorted(kept))}")
    history = History(Filters())
    spans = next(iter(kept.values()))
    for span in spans:
        history.add(span)
    return Recording(place, paths, history, tally), spans


def existing(place: Path) -> list[Path]:
    """The files of a directory; raises Refusal where there are none."""
    paths = find(place)
    if place.exists() and not os.access(place, os.R_OK):
        raise Refusal(f"{place} may not be read: run this as the user who runs the server")
    if not paths:
        raise Refusal(nothing(place))
    return paths


def nothing(place: Path) -> str:
    """The one line that says what to do where there is no telemetry."""
    return (
        f"no telemetry in {place}: start the server with {SETTING_ENABLED.name}=true in its environment, "
        "or name the directory it writes to (ailoop-otel traces DIR)"
    )


def _unreadable(place: Path, tally: Tally) -> str:
    if tally.unreadable:
        return f"nothing in {place} can be opened: {', '.join(tally.unreadable)}"
    if tally.skipped:
        return f"nothing in {place} is OTLP JSON, the first such line in {tally.skipped_at}: name another directory"
    return nothing(place)


def _spans(paths: Sequence[Path], trace_ids: Collection[str], tally: Tally) -> Iterator[Span]:
    for batch in read(paths, tally, _mentions(trace_ids)):
        yield from batch.spans


def _mentions(trace_ids: Collection[str]) -> Callable[[bytes], bool]:
    """Whether a line can hold one of these ids; looking is a hundred times cheaper than decoding."""
    sought = [form.encode() for trace_id in trace_ids for form in {trace_id, trace_id.upper()}]
    return lambda line: any(form in line for form in sought)


def _named(trace_ids: Sequence[str]) -> str:
    more = " …" if len(trace_ids) > _MOST_NAMED else ""
    return ", ".join(trace_id[:16] for trace_id in trace_ids[:_MOST_NAMED]) + more
