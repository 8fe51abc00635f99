"""A run from recorded telemetry, such as that of a production server, with the metrics of a load test.

The server measures from when its application received a message, which is later than when the client sent it. So a
run from telemetry has `server_first_chunk` and `server_completion`, and no client metric. A load test of an
instrumented server has both, after reconciliation: a target or a baseline for `server_first_chunk` applies to load
tests and to production, one for `first_chunk` to load tests only.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeAlias

from ailoop_otel import names
from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import OK, Observation, observed
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.statistics.estimates import run_figures
from ailoop_otel.measure.telemetry.exchanges import (
    AI_TIMEOUT,
    METRICS,
    MOST,
    ServerExchange,
    ServerTelemetry,
    is_read,
)
from ailoop_otel.measure.telemetry.processes import process_observations
from ailoop_otel.recorded import files
from ailoop_otel.recorded.files import ReadCounts
from ailoop_otel.recorded.records import Batch, reader

SCENARIO: Final = "production"
_SECOND: Final = 1e9
_LOGS: Final = b'{"resourceLogs":'
_VERSIONS: Final = {
    "service.version": "ailoop",
    "telemetry.distro.version": "ailoop-otel",
    "telemetry.sdk.version": "opentelemetry-sdk",
    "process.runtime.version": "python",
}

# The number of each session, in the order of first use; -1 for none.
Numbers: TypeAlias = defaultdict[str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """The telemetry of one directory, and what could not be read of it."""

    place: Path
    telemetry: ServerTelemetry
    counts: ReadCounts
    since: int = 0


def read(
    place: Path, *, since: int = 0, texts: bool = False, progress: Callable[[int], None] = lambda size: None
) -> Reading:
    """Read the telemetry files of a directory, or one file; raises Refusal where there is no telemetry of AILoop.

    Spans that ended and points that were taken before `since`, in nanoseconds since 1970, are left out. With `texts`
    captured messages are kept too. `progress` is called with the size in bytes of each part of a file that was read.
    """
    telemetry, counts, paths = ServerTelemetry(), ReadCounts(), files.find(place)
    telemetry.texts = OrderedDict() if texts else None
    for path in paths:
        for batch in _batches(path, counts, progress, texts=texts):
            for span in batch.spans:
                if span.end >= since:
                    telemetry.add(span)
            for point in batch.points:
                if point.time >= since:
                    telemetry.add_point(point)
    if not (telemetry.exchanges or telemetry.sessions or telemetry.points):
        raise Refusal(_nothing(place, counts, found=bool(paths), since=bool(since)))
    return Reading(place, telemetry, counts, since)


def _batches(path: Path, counts: ReadCounts, progress: Callable[[int], None], *, texts: bool) -> Iterator[Batch]:
    left = files.size([path])

    def wanted(line: bytes) -> bool:
        nonlocal left
        size = min(left, len(line) + 1)  # a compressed file holds more than its size
        left -= size
        progress(size)
        return not (line.startswith(_LOGS) and line.endswith(b"]}"))  # log records are in no figure

    # Captured messages are on spans that no figure needs.
    parser = reader(METRICS) if texts else reader(METRICS, is_read)
    yield from files.read([path], counts, wanted, parser)
    progress(left)


def run_from(reading: Reading, *, scenario: str = SCENARIO, jaeger: str = "") -> Run:
    """Create a run from what was read, whose exchanges are used up: of many there is memory for one of the two."""
    telemetry = reading.telemetry
    begin = min(_times(telemetry))
    numbers = Numbers(count().__next__, {"": -1})
    exchanges = sorted(telemetry.exchanges.values(), key=lambda exchange: exchange.start)
    context = _context(reading, exchanges, begin, scenario, jaeger)
    telemetry.exchanges.clear()
    exchanges.reverse()
    observations: list[Observation] = []
    for number in range(len(exchanges)):
        observations.extend(_exchange(exchanges.pop(), begin, numbers, number))
    observations.extend(_session_observations(telemetry, begin, numbers))
    observations.extend(process_observations(telemetry, begin))
    completions = [row for row in observations if row.metric == definitions.SERVER_COMPLETION.name]
    observations += run_figures(sorted(completions, key=lambda row: row.at), 0.0, context.duration)
    observations.sort(key=lambda each: each.at)
    return Run(context, observations)


def outcome_of(exchange: ServerExchange) -> str:
    """The outcome of an exchange; one that hangs counts as an AI timeout."""
    return AI_TIMEOUT if exchange.hangs else exchange.outcome


def is_command(exchange: ServerExchange) -> bool:
    """Whether it was a slash command: only these succeed without a first chunk that could be read."""
    return exchange.ended and exchange.outcome == OK and exchange.first_chunk is None and not exchange.unread


def server_observations(one: ServerExchange, **place: Any) -> Iterator[Observation]:
    """The observations of one exchange, with the fields `place`; none if it has neither an end nor a timeout."""
    if is_command(one):
        yield observed(definitions.SERVER_COMMAND, one.seconds, **place)
    elif one.ended or one.hangs:
        first_chunk = math.nan if one.first_chunk is None else one.first_chunk
        yield observed(definitions.SERVER_FIRST_CHUNK, first_chunk, **place)
        yield observed(definitions.SERVER_COMPLETION, one.seconds if one.ended else math.nan, **place)
    yield from _usage(one, place)
    for timeout, seconds in one.detected():
        yield observed(definitions.TIMEOUT_DETECTED, seconds, label=timeout.phase, **place)
        if timeout.delay is not None:
            yield observed(definitions.DETECTION_DELAY, timeout.delay, label=timeout.phase, **place)
    for timeout, seconds in one.reported():
        yield observed(definitions.REPORT_DELAY, seconds, label=timeout.phase, **place)


def _usage(one: ServerExchange, place: dict[str, Any]) -> Iterator[Observation]:
    """Tokens and cost of an exchange, where the telemetry has them."""
    usage = one.usage
    for definition, value in (
        (definitions.INPUT_TOKENS, usage.input_tokens),
        (definitions.CACHED_TOKENS, usage.cached),
        (definitions.OUTPUT_TOKENS, usage.output_tokens),
        (definitions.REASONING_TOKENS, usage.reasoning),
    ):
        if value is not None:
            yield observed(definition, value, **place)
    if usage.output_tokens and one.ended and one.first_chunk is not None:
        yield observed(definitions.TOKEN_PACE, max(0.0, one.seconds - one.first_chunk) / usage.output_tokens, **place)
    if usage.cost is not None:
        yield observed(definitions.COST_COMPUTED if usage.computed else definitions.COST, usage.cost, **place)


def reading_notes(counts: ReadCounts) -> Iterator[str]:
    """A note on each kind of record that could not be read."""
    if counts.half_written:
        which = ", ".join(sorted(set(counts.half_written))[:3])
        yield f"Half-written last lines were ignored ({which}): the server is writing now, or was killed."
    if counts.skipped:
        yield f"Lines or records that could not be read were skipped: {counts.skipped:,}, first {counts.skipped_at}."
    if counts.backwards:
        yield f"Spans that end before they start were left out: {counts.backwards:,}."
    if counts.unreadable:
        yield f"Files could not be read: {', '.join(counts.unreadable)}."


def _exchange(exchange: ServerExchange, begin: int, numbers: Numbers, number: int) -> Iterator[Observation]:
    place: dict[str, Any] = {
        "at": (exchange.start - begin) / _SECOND,
        "outcome": outcome_of(exchange),
        "session": numbers[exchange.session_id],
        "exchange": number,
        "trace_id": exchange.trace_id,
    }
    yield from server_observations(exchange, **place)
    if exchange.ended and exchange.longest_gap is not None:
        yield observed(definitions.LONGEST_GAP, exchange.longest_gap, **place)


def _session_observations(telemetry: ServerTelemetry, begin: int, numbers: Numbers) -> Iterator[Observation]:
    for session in telemetry.sessions.values():
        place: dict[str, Any] = {
            "at": (session.start - begin) / _SECOND,
            "session": numbers[session.session_id],
            "trace_id": session.trace_id,
        }
        yield observed(definitions.SESSION_DURATION, session.seconds, **place)
        if session.turns is not None:
            yield observed(definitions.SESSION_TURNS, session.turns, **place)


def _times(telemetry: ServerTelemetry) -> Iterator[int]:
    """Every time in the telemetry, in nanoseconds since 1970."""
    for exchange in telemetry.exchanges.values():
        yield from (exchange.start, exchange.end)
    yield from (session.start for session in telemetry.sessions.values())
    yield from telemetry.starts.values()
    yield from (time for _, time in telemetry.points)


def _context(reading: Reading, exchanges: Sequence[ServerExchange], begin: int, scenario: str, jaeger: str) -> Context:
    resources = reading.telemetry.resources
    known = {key: str(value) for resource in resources.values() for key, value in resource.items()}
    return Context(
        scenario=scenario,
        source="telemetry",
        started_at=datetime.fromtimestamp(begin / _SECOND, timezone.utc).isoformat(timespec="milliseconds"),
        duration=(max(_times(reading.telemetry)) - begin) / _SECOND,
        versions={name: known[attribute] for attribute, name in _VERSIONS.items() if attribute in known},
        server={
            "telemetry": str(reading.place),
            "service": known.get("service.name", ""),
            "dialect": ", ".join(sorted(reading.telemetry.dialects - {""})),
            "processes": len(resources),
            "instrumented": True,
        },
        notes=tuple(_notes(reading, exchanges, len(resources))),
        jaeger=jaeger,
    )


def _notes(reading: Reading, exchanges: Sequence[ServerExchange], processes: int) -> Iterator[str]:
    yield (
        "From telemetry alone: times begin when the server's application received a message, and know nothing of the "
        "network or of a message that waited unread."
    )
    hanging = sum(exchange.hangs for exchange in exchanges)
    going_on = sum(not exchange.ended for exchange in exchanges) - hanging
    if hanging:
        yield f"{hanging:,} exchanges had an AI timeout and no end in these files: they count as failed ({AI_TIMEOUT})."
    if going_on:
        yield f"{going_on:,} exchanges have no end in these files, and count nowhere."
    counted = reading.telemetry.counted()
    traced = sum(exchange.ended and not is_command(exchange) for exchange in exchanges)
    if traced < counted and not reading.since:
        yield (
            f"The server counted {counted:,} exchanges, and {traced:,} are traced in these files: the others were not "
            "sampled, or their files are gone. All figures here, rates among them, are of those that are traced."
        )
    if unsampled := sum(exchange.unsampled for exchange in exchanges):
        yield (
            f"{unsampled:,} exchanges of sessions that were not sampled are here since they failed: error rates and "
            "percentiles of this report are worse than the server's. Its metrics have the true ones."
        )
    if processes > 1:
        yield f"{processes:,} server processes wrote these files: memory, CPU and sessions are those of each alone."
    if reading.telemetry.dropped:
        yield f"Only the newest {MOST:,} of a kind are in this report; {reading.telemetry.dropped:,} were left out."
    yield from reading_notes(reading.counts)


def _nothing(place: Path, counts: ReadCounts, *, found: bool, since: bool) -> str:
    if not os.path.exists(place):
        return f"{place} is not there: name the directory that the server writes its telemetry to"
    if counts.unreadable:
        return f"nothing in {place} can be read: {', '.join(counts.unreadable)}"
    if found and since and counts.understood:
        return f"nothing in {place} is that new: leave --since out"
    if counts.backwards:
        return f"all messages in {place} end before they start ({counts.backwards:,} spans): name another directory"
    if found:
        return f"no message, session or memory of an AILoop server is in {place}: name another directory"
    return (
        f"no telemetry in {place}: start the server with {names.SETTING_ENABLED.name}=true in its environment, "
        "or name the directory it writes to"
    )
