"""The exchanges of a run, each put together from its observations, and how they ended."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import OK, Observation
from ailoop_otel.measure.results.run import Run

# Whose word is taken for how long exchanges took: the first of these that a run has at all, since one column cannot
# hold two definitions.
FIRST_CHUNKS: Final = (definitions.FIRST_CHUNK, definitions.SERVER_FIRST_CHUNK)
COMPLETIONS: Final = (definitions.COMPLETION, definitions.SERVER_COMPLETION)


@dataclass(slots=True)
class Exchange:
    """One exchange; seconds, NaN where the event never came."""

    number: int
    session: int
    at: float
    outcome: str = OK
    trace_id: str = ""
    first_chunk: float = math.nan
    completion: float = math.nan
    longest_gap: float = math.nan
    ramping: bool = False
    """Whether it belongs to the search for a limit."""

    @property
    def failed(self) -> bool:
        """Whether it ended in any other way than it should."""
        return self.outcome != OK

    @property
    def seconds(self) -> float:
        """How long it took, as far as is known; 0 where nothing is."""
        known = [value for value in (self.completion, self.first_chunk) if not math.isnan(value)]
        return max(known, default=0.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of failure: how many, of so many of `what`."""

    what: str
    outcome: str
    count: int
    total: int

    @property
    def per_thousand(self) -> float:
        """Failures per 1,000 requests of its kind."""
        return 1000 * self.count / self.total


def steady(seen: Sequence[Exchange]) -> list[Exchange]:
    """The exchanges that figures are made of: those of the search for a limit only where there are no others."""
    return [each for each in seen if not each.ramping] or list(seen)


def exchanges(run: Run) -> list[Exchange]:
    """All exchanges outside the warm-up, in the order in which they were first seen.

    A row of an exchange without a number is an exchange of its own, if it says how long one took.
    """
    found: dict[int, Exchange] = {}
    alone: list[Exchange] = []
    fields = _fields(run)
    for row in run.observations:
        if row.phase == "warmup" or _each(row) != "exchange":
            continue
        if row.exchange >= 0:
            _take(found.setdefault(row.exchange, Exchange(row.exchange, row.session, row.at)), row, fields)
        elif fields.get(row.metric) == "completion":
            alone.append(Exchange(-1, row.session, row.at))
            _take(alone[-1], row, fields)
    return [*found.values(), *alone]


def told_by(run: Run, candidates: Sequence[Definition]) -> Definition:
    """The metric that tells how long a run's exchanges took: the first that was observed."""
    seen = set(run.metrics())
    return next((each for each in candidates if each in seen), candidates[0])


def errors(run: Run, seen: Sequence[Exchange]) -> list[Kind]:
    """The kinds of failure, most frequent first: of exchanges, and of sessions and calls that failed by themselves."""
    kinds = _kinds("exchanges", [each.outcome for each in seen])
    for each, what in (("session", "sessions"), ("call", "steps")):
        rows = [row for row in run.observations if row.phase != "warmup" and _each(row) == each]
        rows = [row for row in rows if row.phase != "ramp"] or rows
        kinds += _kinds(what, _once(rows))
    return kinds


def _each(row: Observation) -> str:
    definition = definitions.DEFINITIONS.get(row.metric)
    return definition.each if definition else ""


def _fields(run: Run) -> dict[str, str]:
    """Which field of an exchange each metric tells."""
    return {
        told_by(run, FIRST_CHUNKS).name: "first_chunk",
        told_by(run, COMPLETIONS).name: "completion",
        definitions.LONGEST_GAP.name: "longest_gap",
    }


def _take(exchange: Exchange, row: Observation, fields: Mapping[str, str]) -> None:
    exchange.ramping = row.phase == "ramp"
    exchange.trace_id = exchange.trace_id or row.trace_id
    exchange.outcome = row.outcome if exchange.outcome == OK else exchange.outcome
    if row.metric in fields:
        setattr(exchange, fields[row.metric], row.value)


def _once(rows: Iterable[Observation]) -> list[str]:
    """The outcomes of sessions or calls, each counted once: by its number, else by each row."""
    numbered: dict[int, str] = {}
    outcomes: list[str] = []
    for row in rows:
        if _each(row) == "session" and row.session >= 0:
            numbered[row.session] = numbered.get(row.session, OK) if row.outcome == OK else row.outcome
        else:
            outcomes.append(row.outcome)
    return [*numbered.values(), *outcomes]


def _kinds(what: str, outcomes: Sequence[str]) -> list[Kind]:
    counts = Counter(outcome for outcome in outcomes if outcome != OK)
    return [Kind(what, outcome, count, len(outcomes)) for outcome, count in counts.most_common()]
