"""The CSV files of the earlier generation's own performance tests as one run, each event under a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.legacy.metrics_file import MetricsFile, read
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run

_NO_TIMES: Final = (
    "The old files hold no times: runs are told apart by the order of their rows, and nothing is shown over time."
)
# Numbers of sessions are those of a run: each file has its own range.
_RANGE: Final = 1_000_000


def import_files(paths: Sequence[Path]) -> Run:
    """Make one run of old files; raises Refusal when one cannot be read or is named twice."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise Refusal("a file is named twice: its rows would count twice")
    sheets = [read(path) for path in paths]
    observations = [row for number, sheet in enumerate(sheets) for row in _observations(sheet, number)]
    notes = [_NO_TIMES, *(note for sheet in sheets for note in (*summary_faults(sheet), *_about(sheet)))]
    context = Context(
        scenario="legacy",
        source="legacy",
        settings={"files": [sheet.name for sheet in sheets], "runs": {sheet.name: sheet.runs for sheet in sheets}},
        notes=tuple(notes),
    )
    return Run(context, observations)


def _observations(sheet: MetricsFile, number: int) -> Iterator[Observation]:
    """The rows of a file; none is an exchange of its own, since no answer was timed."""
    sessions: dict[tuple[int, int], int] = {}
    for row in sheet.latencies:
        session = number * _RANGE + sessions.setdefault((row.run, row.session), len(sessions))
        yield observed(row.definition, row.seconds, 0.0, session=session, label=sheet.name)
    for memory in sheet.memory:
        yield observed(definitions.LEGACY_MEMORY_CURRENT, memory.current, 0.0, label=sheet.name)
        yield observed(definitions.LEGACY_MEMORY_PEAK, memory.peak, 0.0, label=sheet.name)


def _about(sheet: MetricsFile) -> Iterator[str]:
    if sheet.errors:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in sheet.errors.most_common())
        yield f"{sheet.name}: errors that the tests counted: {counts}."
    if sheet.left_out:
        rows = "row belongs" if sheet.left_out == 1 else "rows belong"
        yield (
            f"{sheet.name}: {sheet.left_out:,} {rows} to no known event and no known header and stayed out "
            f"(the first in line {sheet.left_out_at})."
        )


# Nothing lies as near to a median that stands between two populations: a tenth of it.
_NEAR: Final = 0.1


def summary_faults(sheet: MetricsFile) -> Iterator[str]:
    """One sentence or two for each fault that a file shows."""
    for find in (_bytes_as_seconds, _median_of_two, _acknowledgement_as_answer):
        told = find(sheet)
        if told:
            yield f"{sheet.name}: {told}"


def _bytes_as_seconds(sheet: MetricsFile) -> str:
    if not (sheet.memory and sheet.latencies):
        return ""
    peaks = [memory.peak for memory in sheet.memory]
    apart = "; ".join(
        f"the mean of {definition.name} is {_ms(fmean(values))} over {len(values):,}"
        for definition, values in sheet.by_definition().items()
    )
    return (
        f"the mean of the whole column is {_ms(fmean(sheet.column))} over {len(sheet.column):,} rows, because "
        f"{len(peaks):,} of them are bytes (up to {max(peaks):,}) and were taken for seconds. Without them {apart}."
    )


def _median_of_two(sheet: MetricsFile) -> str:
    pooled = [row.seconds for row in sheet.latencies]
    if not pooled:
        return ""
    middle = median(pooled)
    below = {row.definition for row in sheet.latencies if row.seconds < middle}
    above = {row.definition for row in sheet.latencies if row.seconds > middle}
    nearest = min(abs(seconds - middle) for seconds in pooled)
    if not below or not above or below & above or nearest <= _NEAR * middle:
        return ""
    apart = "; ".join(
        f"{definition.name} from {_ms(min(values))} to {_ms(max(values))}"
        for definition, values in sheet.by_definition().items()
    )
    return (
        f"the median of the whole column, {_ms(middle)}, lies between populations and near none of the "
        f"{len(pooled):,} rows: {apart}."
    )


def _acknowledgement_as_answer(sheet: MetricsFile) -> str:
    apart = sheet.by_definition()
    replies = apart.get(definitions.LEGACY_REPLY)
    starts = apart.get(definitions.LEGACY_SESSION_START)
    if not replies or not starts or median(replies) >= median(starts):
        return ""
    return (
        f"the median of the whole column is {_ms(median(sheet.column))}, that of the replies to messages "
        f"{_ms(median(replies))}: sooner than a session starts ({_ms(median(starts))}), for which no model is asked. "
        "That is the server's acknowledgement; the file holds no answer's latency."
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.2f} ms"
