"""The lines around the tables: what was read, what it adds up to, what could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from ailoop_otel.recorded import files
from ailoop_otel.recorded.files import Tally
from ailoop_otel.view import theme, units
from ailoop_otel.view.filters import OPEN
from ailoop_otel.view.recording import Recording
from ailoop_otel.view.spread import Spread
from ailoop_otel.view.theme import Look

_LABEL: Final = 13
_GAP: Final = 3


def title(recording: Recording, look: Look) -> Text:
    """Where this comes from and which time it covers."""
    totals = recording.history.totals
    text = Text("AILoop telemetry", theme.HEADING)
    text.append(f"  {recording.place}", "not bold")
    if totals.first:
        day = "" if look.day else f"{units.day(totals.first, look.zone)}, "
        text.append(f"  {day}{look.clock(totals.first)} to {look.clock(totals.last)}", "not bold dim")
    return text


def totals(recording: Recording, look: Look) -> Iterator[Text]:
    """What it all adds up to, and where the files are."""
    counts, paths = recording.history.totals, recording.paths
    yield _line("Exchanges", _outcomes(recording, look), look)
    if counts.durations.count:
        yield _line("First chunk", _spread(counts.first_chunks), look)
        yield _line("Took", _spread(counts.durations), look)
    also = [
        f"{units.counted(counts.sessions, 'session')} started, {counts.sessions_ended:,} ended",
        units.counted(counts.timeouts, "AI timeout"),
        units.counted(counts.spans, "span"),
    ]
    if counts.server_starts or counts.server_stops:
        starts = units.counted(counts.server_starts, "server start")
        also.append(f"{starts}, {units.counted(counts.server_stops, 'stop')}")
    yield _line("Also", [Text(part) for part in also], look)
    where = f"{units.counted(len(paths), 'file')} in {recording.place}, {units.size(files.size(paths))}"
    yield _line("Files", [Text(where)], look)


def troubles(tally: Tally) -> Iterator[Text]:
    """One line for each kind of thing that could not be read."""
    if tally.half_written:
        which = ", ".join(sorted(set(tally.half_written))[:3])
        yield Text(
            f"{units.counted(len(tally.half_written), 'last line')} half-written and ignored: {which} "
            "(its server is writing now, or was killed)",
            theme.UNSURE,
        )
    if tally.skipped:
        yield Text(
            f"{units.counted(tally.skipped, 'line')} could not be read and "
            f"{'was' if tally.skipped == 1 else 'were'} skipped, the first in {tally.skipped_at}",
            theme.UNSURE,
        )
    if tally.unreadable:
        yield Text(f"could not be opened: {', '.join(tally.unreadable)}", theme.BAD)


def _outcomes(recording: Recording, look: Look) -> list[Text]:
    counts, hanging = recording.history.totals.outcomes, len(recording.history.open())
    told = [Text(f"{counts.total() + hanging:,}")]
    told += [look.outcome(outcome, f"{number:,} {outcome}") for outcome, number in counts.most_common()]
    return [*told, look.outcome(OPEN, f"{hanging:,} {OPEN}")] if hanging else told


def _spread(spread: Spread) -> list[Text]:
    if not spread.count:
        return [Text(units.NOTHING)]
    values = (("p50", spread.percentile(0.5)), ("p95", spread.percentile(0.95)), ("max", spread.largest))
    return [Text(f"{label} {units.duration(seconds)}") for label, seconds in values]


def _line(label: str, parts: Sequence[Text], look: Look) -> Text:
    """Set parts side by side behind a label and break the line only between them."""
    line = Text(f"{label:<{_LABEL}}", theme.QUIET)
    used = _LABEL
    for position, part in enumerate(parts):
        if position and used + _GAP + part.cell_len > look.console.width:
            line.append("\n" + " " * _LABEL)
            used = _LABEL
        elif position:
            line.append(" " * _GAP)
            used += _GAP
        line.append_text(Text("", "not dim") + part)
        used += part.cell_len
    return line
