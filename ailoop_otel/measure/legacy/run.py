"""The CSV files of the earlier generation's own performance tests as one run, each event under a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.legacy.metrics_file import Sheet, read
from ailoop_otel.measure.legacy.published import findings
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run

_NO_TIMES: Final = (
    "The old files hold no times: runs are told apart by the order of their rows, and nothing is shown over time."
)
# Numbers of sessions are those of a run: each file has its own range.
_RANGE: Final = 1_000_000


def imported(paths: Sequence[Path]) -> Run:
    """Make one run of old files; raises Refusal when one cannot be read or is named twice."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise Refusal("a file is named twice: its rows would count twice")
    sheets = [read(path) for path in paths]
    observations = [row for number, sheet in enumerate(sheets) for row in _observations(sheet, number)]
    notes = [_NO_TIMES, *(note for sheet in sheets for note in (*findings(sheet), *_about(sheet)))]
    context = Context(
        scenario="legacy",
        source="legacy",
        settings={"files": [sheet.name for sheet in sheets], "runs": {sheet.name: sheet.runs for sheet in sheets}},
        notes=tuple(notes),
    )
    return Run(context, observations)


def _observations(sheet: Sheet, number: int) -> Iterator[Observation]:
    """The rows of a file; none is an exchange of its own, since no answer was timed."""
    sessions: dict[tuple[int, int], int] = {}
    for row in sheet.latencies:
        session = number * _RANGE + sessions.setdefault((row.run, row.session), len(sessions))
        yield observed(row.definition, row.seconds, 0.0, session=session, label=sheet.name)
    for memory in sheet.memory:
        yield observed(definitions.LEGACY_MEMORY_CURRENT, memory.current, 0.0, label=sheet.name)
        yield observed(definitions.LEGACY_MEMORY_PEAK, memory.peak, 0.0, label=sheet.name)


def _about(sheet: Sheet) -> Iterator[str]:
    if sheet.errors:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in sheet.errors.most_common())
        yield f"{sheet.name}: errors that the tests counted: {counts}."
    if sheet.left_out:
        rows = "row belongs" if sheet.left_out == 1 else "rows belong"
        yield (
            f"{sheet.name}: {sheet.left_out:,} {rows} to no known event and no known header and stayed out "
            f"(the first in line {sheet.left_out_at})."
        )
