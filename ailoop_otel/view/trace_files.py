"""Reads the telemetry files of a directory in bounded memory: everything aggregated, or one trace."""

from __future__ import annotations

import os
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ailoop_otel import names
from ailoop_otel.names import SETTING_ENABLED
from ailoop_otel.recorded.files import ReadCounts, find, read, undelivered
from ailoop_otel.recorded.records import LogEvent, Span, is_of_process
from ailoop_otel.settings import UsageError, read_dotenv, without_secrets
from ailoop_otel.view.aggregator import Aggregator
from ailoop_otel.view.options import Filters
from ailoop_otel.view.servers import Servers

# A waterfall shows far fewer; an endless trace must not fill memory.
_MOST_SPANS: Final = 5_000
_MOST_NAMED: Final = 5
# What takes spans away from the files, the first that is set: see export/choice.py.
_ELSEWHERE: Final = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_CONFIG_FILE",
)
_FILES_EXPORTER: Final = "ailoop_json_files"
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class TraceFiles:
    """The telemetry files of a directory and what was read from them."""

    place: Path
    paths: list[Path]
    aggregator: Aggregator
    counts: ReadCounts

    def traces(self, trace_ids: Collection[str]) -> dict[str, list[Span]]:
        """All spans of these traces, by trace id. Reads the files a second time."""
        kept: defaultdict[str, list[Span]] = defaultdict(list)
        # What cannot be read was counted the first time.
        for batch in read(self.paths, ReadCounts(), _mentions(trace_ids)):
            for span in batch.spans:
                if span.trace_id in trace_ids and len(kept[span.trace_id]) < _MOST_SPANS:
                    kept[span.trace_id].append(span)
        return kept


def read_all(place: Path, filters: Filters, clock: Callable[[], int] = time.time_ns) -> TraceFiles:
    """Read and aggregate everything; raises UsageError if there is no telemetry."""
    paths = existing(place)
    counts, aggregator = ReadCounts(), Aggregator(filters, Servers(clock))
    for batch in read(paths, counts):
        aggregator.servers.note(batch)
        for span in batch.spans:
            aggregator.add(span)
        for event in batch.events:
            aggregator.add_event(event)
    aggregator.servers.look()
    if not counts.understood:
        raise UsageError(unreadable(place, counts))
    return TraceFiles(place, paths, aggregator, counts)


def read_trace(place: Path, prefix: str) -> tuple[TraceFiles, list[Span], list[LogEvent]]:
    """Read the trace whose id, or whose client's trace's id, begins with `prefix`: its spans and log events.

    Raises UsageError if there is none or more than one.
    """
    beginning = trace_prefix(prefix)
    paths = existing(place)
    counts, kept = ReadCounts(), defaultdict[str, list[Span]](list)
    events: list[LogEvent] = []
    aggregator, mentioned = Aggregator(Filters()), _mentions([beginning])
    for batch in read(paths, counts, lambda line: mentioned(line) or is_of_process(line)):
        aggregator.servers.note(batch)
        events += [event for event in batch.events if event.trace_id.startswith(beginning)][: _MOST_SPANS - len(events)]
        for span in batch.spans:
            meant = any(each.startswith(beginning) for each in (span.trace_id, span.text(names.CLIENT_TRACE_ID)))
            if meant and len(kept[span.trace_id]) < _MOST_SPANS:
                kept[span.trace_id].append(span)
        if len(kept) > _MOST_NAMED:
            break
    if not kept and counts.unreadable:
        raise UsageError(unreadable(place, counts))
    if not kept:
        others = only_undelivered(paths) or "leave --trace out to see which there are"
        raise UsageError(f"no trace in {place} begins with {prefix}: {others}")
    if len(kept) > 1:
        raise several(prefix, kept)
    if not next(iter(kept)).startswith(beginning):
        return read_trace(place, next(iter(kept)))  # all of it, now that the server's own id is known
    aggregator.servers.look()
    spans = next(iter(kept.values()))
    for span in spans:
        aggregator.add(span)
    return TraceFiles(place, paths, aggregator, counts), spans, sorted(events, key=lambda event: event.time)


def trace_prefix(words: str) -> str:
    """The beginning of a trace id as someone wrote it; raises UsageError if it is none."""
    beginning = words.strip().lower()
    if not beginning or not set(beginning) <= _HEX:
        raise UsageError(f"{words!r} is no trace id: it takes the first hexadecimal digits of one")
    return beginning


def several(beginning: str, trace_ids: Collection[str]) -> UsageError:
    """What to raise where more than one trace id begins so: it names some of them."""
    some = ", ".join(trace_id[:16] for trace_id in sorted(trace_ids)[:_MOST_NAMED])
    more = " …" if len(trace_ids) > _MOST_NAMED else ""
    return UsageError(f"several traces begin with {beginning}: give more of one of {some}{more}")


def existing(place: Path) -> list[Path]:
    """The telemetry files of a directory; raises UsageError if there are none, or it may not be read."""
    must_be_readable(place)
    paths = find(place)
    if not paths:
        raise UsageError(no_telemetry(place))
    return paths


def must_be_readable(place: Path) -> None:
    """Raise UsageError if this user may not read a directory or file; one that is not there is none."""
    try:
        # What is in a directory can be opened only by who may pass through it.
        allowed = os.access(place, os.R_OK | os.X_OK if stat.S_ISDIR(os.stat(place).st_mode) else os.R_OK)
    except PermissionError:  # of a directory above it
        allowed = False
    except OSError:
        return
    if not allowed:
        raise UsageError(f"{place} may not be read: run this as the user who runs the server")


def sent_elsewhere() -> str:
    """Where this environment, or the server's `.env`, sends spans instead of into files; empty if nowhere else."""
    destination = _destination()
    return f"{destination}: spans go there now, and not into files" if destination else ""


def only_undelivered(paths: Sequence[Path]) -> str:
    """What to say where files hold only what no collector has taken; empty if none does."""
    waiting = len(undelivered(paths))
    if not waiting:
        return ""
    which = "these files hold" if waiting == len(paths) else f"{waiting:,} of these {len(paths):,} files hold"
    where = _destination() or "the collector of the server"
    return (
        f"{which} only what was not delivered; the rest went to {where}: "
        "`ailoop-otel traces --jaeger URL` reads it from a Jaeger"
    )


def _destination() -> str:
    """The variable that sends spans elsewhere, with its value; empty without one."""
    variables = {**read_dotenv(Path()), **os.environ}
    for name in _ELSEWHERE:
        value = variables.get(name, "").strip()
        if value and not value.startswith(_FILES_EXPORTER):
            return f"{name}={without_secrets(value)}"
    return ""


def no_telemetry(place: Path) -> str:
    """The message for a directory without telemetry: what to do."""
    if elsewhere := sent_elsewhere():
        return f"no telemetry in {place}; {elsewhere}. `ailoop-otel traces --jaeger URL` reads from a Jaeger"
    return (
        f"no telemetry in {place}: start the server with {SETTING_ENABLED.name}=true in its environment, "
        "or name the directory it writes to (ailoop-otel traces DIR)"
    )


def unreadable(place: Path, counts: ReadCounts) -> str:
    """The message for a place where no line is telemetry: why, and what to do."""
    if counts.unreadable:
        return f"nothing in {place} can be read: {', '.join(counts.unreadable)}"
    if counts.skipped:
        return f"nothing in {place} is OTLP JSON, the first such line in {counts.skipped_at}: name another directory"
    return no_telemetry(place)


def _mentions(trace_ids: Collection[str]) -> Callable[[bytes], bool]:
    """A test for whether a line contains one of these ids, or beginnings of ids; to decode it costs 100 times more."""
    sought = [form.encode() for trace_id in trace_ids for form in {trace_id, trace_id.upper()}]
    return lambda line: any(form in line for form in sought)
