"""The exchanges of a run, each assembled from its observations: how they ended, and the worst of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.measure.results.observations import OK, Observation
from ailoop_otel.measure.results.run import Run

# The metrics that an exchange's times can come from. The first one that was observed in the run is taken for all of its
# exchanges, because one column cannot hold two definitions.
FIRST_CHUNKS: Final = (definitions.FIRST_CHUNK, definitions.SERVER_FIRST_CHUNK)
COMPLETIONS: Final = (definitions.COMPLETION, definitions.SERVER_COMPLETION)
_COMMANDS: Final = {definitions.COMMAND.name, definitions.SERVER_COMMAND.name}

MOST_WORST: Final = 10
WORST_RULE: Final = (
    "Failed exchanges take at most half of the places while there are others, each kind in turn, the longest first; "
    "the rest are the slowest that succeeded."
)
_TRACE_ID: Final = re.compile(r"[0-9a-f]{16,32}")
_URL: Final = re.compile(r"https?://[^\s<>\"'`()\[\]\\]+")


@dataclass(slots=True)
class Exchange:
    """One exchange; times in seconds, NaN if the event never happened."""

    number: int
    session: int
    at: float
    outcome: str = OK
    trace_id: str = ""
    first_chunk: float = math.nan
    completion: float = math.nan
    longest_gap: float = math.nan
    in_ramp: bool = False
    """Whether it belongs to the search for a limit."""

    @property
    def failed(self) -> bool:
        """Whether its outcome is not `ok`."""
        return self.outcome != OK

    @property
    def seconds(self) -> float:
        """The longest time that is known of it; 0 if none is."""
        known = [value for value in (self.completion, self.first_chunk) if not math.isnan(value)]
        return max(known, default=0.0)


@dataclass(frozen=True, slots=True)
class FailureKind:
    """How often one outcome occurred among `total` exchanges, sessions or steps; `what` is which of the three."""

    what: str
    outcome: str
    count: int
    total: int

    @property
    def per_thousand(self) -> float:
        """Failures of this kind per 1,000."""
        return 1000 * self.count / self.total


def exchanges_of(run: Run) -> list[Exchange]:
    """Assemble all exchanges outside the warm-up, in the order of their first observation.

    Slash commands are in none of them, as they are in no figure of exchanges. An observation without an exchange
    number is an exchange of its own if it is a completion time.
    """
    numbered: dict[int, Exchange] = {}
    unnumbered: list[Exchange] = []
    # The field of an exchange that holds a metric's value.
    fields = {
        observed_metric(run, FIRST_CHUNKS).name: "first_chunk",
        observed_metric(run, COMPLETIONS).name: "completion",
        definitions.LONGEST_GAP.name: "longest_gap",
    }
    commands = {row.exchange for row in run.observations if row.metric in _COMMANDS}
    for row in run.observations:
        if row.phase == "warmup" or DEFINITIONS[row.metric].each != "exchange":
            continue
        if row.exchange >= 0 and row.exchange not in commands:
            found = numbered.setdefault(row.exchange, Exchange(row.exchange, row.session, row.at))
        elif fields.get(row.metric) == "completion":
            unnumbered.append(found := Exchange(-1, row.session, row.at))
        else:
            continue
        found.in_ramp = row.phase == "ramp"
        found.trace_id = found.trace_id or row.trace_id
        found.outcome = row.outcome if found.outcome == OK else found.outcome
        if row.metric in fields:
            setattr(found, fields[row.metric], row.value)
    return [*numbered.values(), *unnumbered]


def observed_metric(run: Run, candidates: Sequence[Definition]) -> Definition:
    """The first candidate that was observed in the run; the first of all if none was."""
    observed = set(run.metrics())
    return next((each for each in candidates if each in observed), candidates[0])


def failure_kinds(run: Run, exchanges: Sequence[Exchange]) -> list[FailureKind]:
    """Count the failures of the exchanges, then of sessions and steps, each by outcome, most frequent first."""
    kinds = _count("exchanges", [each.outcome for each in exchanges])
    for each, what in (("session", "sessions"), ("call", "steps")):
        rows = [row for row in run.observations if row.phase != "warmup" and DEFINITIONS[row.metric].each == each]
        rows = [row for row in rows if row.phase != "ramp"] or rows
        kinds += _count(what, _outcomes(rows))
    return kinds


def worst_exchanges(exchanges: Iterable[Exchange], most: int = MOST_WORST) -> list[Exchange]:
    """Select at most so many exchanges by `WORST_RULE`; without failures these are the slowest."""
    ordered = sorted(exchanges, key=lambda each: each.seconds, reverse=True)
    failed = _alternating([each for each in ordered if each.failed])
    succeeded = [each for each in ordered if not each.failed]
    places = max(most - len(succeeded), most // 2)
    return failed[:places] + succeeded[: most - len(failed[:places])]


def trace_link(jaeger: str, trace_id: str) -> str:
    """The URL of a trace in Jaeger; empty if Jaeger's URL or the trace id is missing or malformed."""
    if not (_URL.fullmatch(jaeger) and _TRACE_ID.fullmatch(trace_id)):
        return ""
    return f"{jaeger.rstrip('/')}/trace/{trace_id}"


def _outcomes(observations: Iterable[Observation]) -> list[str]:
    """The outcomes of sessions and steps. A numbered session counts once; any other observation counts for itself."""
    sessions: dict[int, str] = {}
    others: list[str] = []
    for row in observations:
        if DEFINITIONS[row.metric].each == "session" and row.session >= 0:
            sessions[row.session] = sessions.get(row.session, OK) if row.outcome == OK else row.outcome
        else:
            others.append(row.outcome)
    return [*sessions.values(), *others]


def _count(what: str, outcomes: Sequence[str]) -> list[FailureKind]:
    counts = Counter(outcome for outcome in outcomes if outcome != OK)
    return [FailureKind(what, outcome, count, len(outcomes)) for outcome, count in counts.most_common()]


def _alternating(failed: Sequence[Exchange]) -> list[Exchange]:
    """Order failures so that each outcome comes once before any comes twice."""
    by_outcome: dict[str, list[Exchange]] = {}
    for each in failed:
        by_outcome.setdefault(each.outcome, []).append(each)
    return [each for turn in zip_longest(*by_outcome.values()) for each in turn if each is not None]
