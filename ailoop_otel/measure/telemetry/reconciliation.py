"""Join a client's run with the server's telemetry, message by message, and compute the differences.

A message is identified by the trace id of the client's `traceparent`: it is the server's own trace where the server
trusts its clients, else `ailoop.client.trace_id` on the server's span.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import OK, Observation, observed
from ailoop_otel.measure.results.quantities import shown
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics.percentiles import summarise
from ailoop_otel.measure.telemetry.exchanges import ServerExchange
from ailoop_otel.measure.telemetry.reading import outcome_of, read, reading_notes, server_observations

# A client metric, and the metric of its difference from the server's.
_FIRST_CHUNK: Final = (definitions.FIRST_CHUNK, definitions.FIRST_CHUNK_DIFFERENCE)
_OF_MESSAGES: Final = {each.name for each in (definitions.FIRST_CHUNK, definitions.COMPLETION, definitions.COMMAND)}
_COMPLETION: Final = (definitions.COMPLETION, definitions.COMPLETION_DIFFERENCE)
_MOST_NAMED: Final = 3
# The metrics that an earlier reconciliation added to a run, and the beginnings of its notes.
_ADDED: Final = {
    each.name
    for each in (
        definitions.SERVER_FIRST_CHUNK,
        definitions.SERVER_COMPLETION,
        definitions.SERVER_COMMAND,
        definitions.INPUT_TOKENS,
        definitions.CACHED_TOKENS,
        definitions.OUTPUT_TOKENS,
        definitions.REASONING_TOKENS,
        definitions.TOKEN_PACE,
        definitions.COST,
        definitions.COST_COMPUTED,
        definitions.TIMEOUT_DETECTED,
        definitions.DETECTION_DELAY,
        definitions.REPORT_DELAY,
        definitions.FIRST_CHUNK_DIFFERENCE,
        definitions.COMPLETION_DIFFERENCE,
    )
}
_NOTES: Final = re.compile(
    "Client and server: |None of the client's |They disagree on the outcome |The server wrote no telemetry into "
    "|For the (first chunk|complete answer) the client waited |[0-9,]+ traces hold several messages "
    "|Half-written last lines were ignored |Lines or records that could not be read |Files could not be (opened|read): "
    "|Spans that end before they start "
)

Rows = dict[str, Observation]


def reconciled(run: Run, directory: Path) -> Run:
    """Add to a client's run what the server's telemetry recorded of the same messages.

    Adds the server's observations and the differences, and sets the trace id of each row to the server's trace. Notes
    give the number of messages found on both sides, how much longer the client waited, and the outcomes that differ.
    Replaces the result of an earlier reconciliation of the run. Raises Refusal when the directory holds no telemetry.
    """
    reading = read(directory)
    run = _unreconciled(run)
    match = _match(run, reading.telemetry.exchanges.values())
    traces = {trace_id: one.trace_id for trace_id, one in match.both.items()}
    rows = [row._replace(trace_id=traces.get(row.trace_id, row.trace_id)) for row in run.observations]
    for trace_id, one in match.both.items():
        rows.extend(_server_rows(match.client[trace_id], one))
    rows.sort(key=lambda row: row.at)
    together = Run(run.context, rows, run.histograms)
    notes = (*run.context.notes, *_notes(match, together, directory), *reading_notes(reading.counts))
    server = run.context.server | {"telemetry": str(directory)}
    return replace(together, context=replace(run.context, notes=notes, server=server))


def _unreconciled(run: Run) -> Run:
    """The client's observations alone; their trace ids stay those of the server where they were found before."""
    notes = tuple(note for note in run.context.notes if not _NOTES.match(note))
    rows = [row for row in run.observations if row.metric not in _ADDED]
    return Run(replace(run.context, notes=notes), rows, run.histograms)


@dataclass(frozen=True, slots=True)
class _Match:
    """The messages found on each side, by the client's trace id."""

    client: Mapping[str, Rows]
    """The client's first chunk and completion of each message."""
    both: Mapping[str, ServerExchange]
    ambiguous: int
    """The number of traces in which the server has several messages."""
    server_only: int

    @property
    def client_only(self) -> int:
        return len(self.client) - len(self.both) - self.ambiguous

    def disagreements(self) -> Counter[tuple[str, str]]:
        """How often each pair of different outcomes occurs, the client's first."""
        pairs = ((next(iter(self.client[trace].values())).outcome, outcome_of(one)) for trace, one in self.both.items())
        return Counter((client, server) for client, server in pairs if server and server != client)


def _match(run: Run, exchanges: Iterable[ServerExchange]) -> _Match:
    client: defaultdict[str, Rows] = defaultdict(dict)
    for row in run.observations:
        if row.trace_id and row.metric in _OF_MESSAGES:
            client[row.trace_id][row.metric] = row
    server: defaultdict[str, list[ServerExchange]] = defaultdict(list)
    others: list[ServerExchange] = []
    for one in exchanges:
        # A run that was reconciled before has the server's trace ids already.
        trace_id = one.client_trace_id if one.client_trace_id in client else one.trace_id
        if trace_id in client:
            server[trace_id].append(one)
        else:
            others.append(one)
    both = {trace_id: found[0] for trace_id, found in server.items() if len(found) == 1}
    # The directory may hold telemetry from days before the load.
    begin = min((one.start for one in both.values()), default=0)
    end = max((one.start for one in both.values()), default=0)
    meanwhile = sum(begin <= one.start <= end for one in others)
    return _Match(client, both, len(server) - len(both), meanwhile)


def _server_rows(rows: Rows, one: ServerExchange) -> Iterator[Observation]:
    """The server's observations of a message, with the time, phase and numbers of the client's."""
    client = next(iter(rows.values()))
    place = {
        "at": client.at,
        "phase": client.phase,
        "session": client.session,
        "exchange": client.exchange,
        "process": client.process,
        "trace_id": one.trace_id,
        "outcome": outcome_of(one),
    }
    yield from server_observations(one, **place)
    if client.outcome == one.outcome == OK:
        yield from _difference(rows, _FIRST_CHUNK, one.first_chunk, place)
        yield from _difference(rows, _COMPLETION, one.seconds, place)


def _difference(
    rows: Rows, pair: tuple[Definition, Definition], server: float | None, place: Mapping[str, Any]
) -> Iterator[Observation]:
    measured, difference = pair
    row = rows.get(measured.name)
    if row is not None and server is not None and not math.isnan(row.value):
        yield observed(difference, row.value - server, **place)


def _notes(match: _Match, run: Run, directory: Path) -> Iterator[str]:
    if not match.both:
        yield (
            f"None of the client's {len(match.client):,} messages is in the server's telemetry in {directory}: "
            "it is another server's, or was not written yet."
        )
        return
    yield (
        f"Client and server: {len(match.both):,} messages were found on both sides, {match.client_only:,} only by the "
        f"client, {match.server_only:,} only on the server while the load ran."
    )
    if match.ambiguous:
        yield f"{match.ambiguous:,} traces hold several messages and were not compared."
    for what, (_, definition) in (("first chunk", _FIRST_CHUNK), ("complete answer", _COMPLETION)):
        figures = summarise(run, definition)
        if figures.n:
            yield (
                f"For the {what} the client waited {shown(figures.p50, definition)} longer than the server says "
                f"(median of {figures.n:,}), p95 {shown(figures.p95, definition)}."
            )
    disagreements = match.disagreements()
    if disagreements:
        kinds = ", ".join(
            f"{client} for the client and {server} on the server ({count:,})"
            for (client, server), count in disagreements.most_common(_MOST_NAMED)
        )
        yield f"They disagree on the outcome of {disagreements.total():,} messages: {kinds}."
