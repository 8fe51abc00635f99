"""Join a client's run with the server's telemetry, message by message, and compute the differences.

A message is identified by the trace id of the client's `traceparent`: it is the server's own trace where the server
trusts its clients, else `ailoop.client.trace_id` on the server's span.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import OK, Observation, observed
from ailoop_otel.measure.results.quantities import shown
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics.percentiles import summarise
from ailoop_otel.measure.telemetry.exchanges import ServerExchange
from ailoop_otel.measure.telemetry.reading import outcome_of, read, reading_notes, server_observations

# What is compared: a client's metric, the metric of its difference from the server's, and its name in a note.
_PAIRS: Final = (
    (definitions.FIRST_CHUNK, definitions.FIRST_CHUNK_DIFFERENCE, "first chunk"),
    (definitions.COMPLETION, definitions.COMPLETION_DIFFERENCE, "complete answer"),
)
_OF_MESSAGES: Final = {each.name for each in (definitions.FIRST_CHUNK, definitions.COMPLETION, definitions.COMMAND)}
_MOST_NAMED: Final = 3
# The metrics that an earlier reconciliation added to a run, and how its notes and the note of none begin.
_ADDED: Final = {each.name for each in (
    definitions.SERVER_FIRST_CHUNK, definitions.SERVER_COMPLETION, definitions.SERVER_COMMAND,
    definitions.INPUT_TOKENS, definitions.CACHED_TOKENS, definitions.OUTPUT_TOKENS, definitions.REASONING_TOKENS,
    definitions.TOKEN_PACE, definitions.COST, definitions.COST_COMPUTED, definitions.TIMEOUT_DETECTED,
    definitions.DETECTION_DELAY, definitions.REPORT_DELAY, *(difference for _, difference, _ in _PAIRS),
)}  # fmt: skip
_NOTE: Final = "Client and server: "
_NO_TELEMETRY: Final = "The server wrote no telemetry into "

Rows = dict[str, Observation]


def reconciled(run: Run, directory: Path) -> Run:
    """Add to a client's run what the server's telemetry recorded of the same messages.

    Adds the server's observations and the differences, and sets the trace id of each row to the server's trace. Notes
    give the number of messages found on both sides, how much longer the client waited, and the outcomes that differ.
    Replaces the result of an earlier reconciliation of the run. Raises Refusal when the directory holds no telemetry.
    """
    reading = read(directory)
    kept = tuple(note for note in run.context.notes if not note.startswith((_NOTE, _NO_TELEMETRY)))
    rows = [row for row in run.observations if row.metric not in _ADDED]
    match = _match(rows, reading.telemetry.exchanges.values())
    traces = {trace_id: one.trace_id for trace_id, one in match.both.items()}
    rows = [row._replace(trace_id=traces.get(row.trace_id, row.trace_id)) for row in rows]
    for trace_id, one in match.both.items():
        rows.extend(_server_rows(match.client[trace_id], one))
    rows.sort(key=lambda row: row.at)
    together = replace(run, observations=rows)
    notes = (f"{_NOTE}{note}" for note in (*_notes(match, together, directory), *reading_notes(reading.counts)))
    server = run.context.server | {"telemetry": str(directory)}
    return replace(together, context=replace(run.context, notes=(*kept, *notes), server=server))


@dataclass(frozen=True, slots=True)
class _Match:
    """The messages found on each side, by the client's trace id.

    `client` has the client's rows of each message; `ambiguous` is the number of traces in which the server has several
    messages, `server_only` how many are the server's alone.
    """

    client: Mapping[str, Rows]
    both: Mapping[str, ServerExchange]
    ambiguous: int
    server_only: int


def _match(rows: Iterable[Observation], exchanges: Iterable[ServerExchange]) -> _Match:
    client: defaultdict[str, Rows] = defaultdict(dict)
    for row in rows:
        if row.trace_id and row.metric in _OF_MESSAGES:
            client[row.trace_id][row.metric] = row
    server: defaultdict[str, list[ServerExchange]] = defaultdict(list)
    others: list[ServerExchange] = []
    for one in exchanges:
        # A run that was reconciled before has the server's trace ids already.
        trace_id = one.client_trace_id if one.client_trace_id in client else one.trace_id
        (server[trace_id] if trace_id in client else others).append(one)
    both = {trace_id: found[0] for trace_id, found in server.items() if len(found) == 1}
    # The directory may hold telemetry from days before the load.
    begin = min((one.start for one in both.values()), default=0)
    end = max((one.start for one in both.values()), default=0)
    meanwhile = sum(begin <= one.start <= end for one in others)
    return _Match(client, both, len(server) - len(both), meanwhile)


def _server_rows(rows: Rows, one: ServerExchange) -> Iterator[Observation]:
    """The server's observations of a message, with the time, phase and numbers of the client's."""
    client = next(iter(rows.values()))
    place = {name: getattr(client, name) for name in ("at", "phase", "session", "exchange", "process")}
    place |= {"trace_id": one.trace_id, "outcome": outcome_of(one)}
    yield from server_observations(one, **place)
    if client.outcome == one.outcome == OK:
        for (measured, difference, _), server in zip(_PAIRS, (one.first_chunk, one.seconds), strict=True):
            row = rows.get(measured.name)
            if row is not None and server is not None and not math.isnan(row.value):
                yield observed(difference, row.value - server, **place)


def _notes(match: _Match, run: Run, directory: Path) -> Iterator[str]:
    if not match.both:
        yield (
            f"none of the client's {len(match.client):,} messages is in the server's telemetry in {directory}: it is "
            "another server's, or was not written yet."
        )
        return
    client_only = len(match.client) - len(match.both) - match.ambiguous
    yield (
        f"{len(match.both):,} messages were found on both sides, {client_only:,} only by the client, "
        f"{match.server_only:,} only on the server while the load ran."
    )
    if match.ambiguous:
        yield f"{match.ambiguous:,} traces hold several messages and were not compared."
    for _, definition, what in _PAIRS:
        figures = summarise(run, definition)
        if figures.n:
            yield (
                f"for the {what} the client waited {shown(figures.p50, definition)} longer than the server says "
                f"(median of {figures.n:,}), p95 {shown(figures.p95, definition)}."
            )
    outcomes = (
        (next(iter(match.client[trace].values())).outcome, outcome_of(one)) for trace, one in match.both.items()
    )
    disagreements = Counter((client, server) for client, server in outcomes if server and server != client)
    if disagreements:
        kinds = ", ".join(
            f"{client} for the client and {server} on the server ({count:,})"
            for (client, server), count in disagreements.most_common(_MOST_NAMED)
        )
        yield f"they disagree on the outcome of {disagreements.total():,} messages: {kinds}."
