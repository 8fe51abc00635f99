"""A run from the CSV files of the earlier generation's performance tests, with one metric for each of their events.

Notes of the run explain what the published summary of such files gets wrong: `summarize_performance_metrics.py`
averaged the second column of each file as milliseconds, whatever it held. A fault is noted only for a file whose own
rows show it.
"""

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
# Session numbers must be unique in a run, so each file has its own range.
_RANGE: Final = 1_000_000
# Share of a median: a value as near as this to it shows that it does not lie between two populations.
_NEAR: Final = 0.1


def import_files(paths: Sequence[Path]) -> Run:
    """Create one run from several files; raises Refusal for a file that cannot be read or is named twice."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise Refusal("a file is named twice: its rows would count twice")
    files = [read(path) for path in paths]
    observations = [row for number, file in enumerate(files) for row in _observations(file, number)]
    notes = [_NO_TIMES, *(note for file in files for note in (*summary_faults(file), *_about(file)))]
    context = Context(
        scenario="legacy",
        source="legacy",
        settings={"files": [file.name for file in files], "runs": {file.name: file.runs for file in files}},
        notes=tuple(notes),
    )
    return Run(context, observations)


def _observations(file: MetricsFile, number: int) -> Iterator[Observation]:
    """The observations of a file; none has an exchange number, since the tests timed no answer."""
    sessions: dict[tuple[int, int], int] = {}
    for row in file.latencies:
        session = number * _RANGE + sessions.setdefault((row.run, row.session), len(sessions))
        yield observed(row.definition, row.seconds, 0.0, session=session, label=file.name)
    for memory in file.memory:
        yield observed(definitions.LEGACY_MEMORY_CURRENT, memory.current, 0.0, label=file.name)
        yield observed(definitions.LEGACY_MEMORY_PEAK, memory.peak, 0.0, label=file.name)


def _about(file: MetricsFile) -> Iterator[str]:
    if file.errors:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in file.errors.most_common())
        yield f"{file.name}: errors that the tests counted: {counts}."
    if file.left_out:
        rows = "row belongs" if file.left_out == 1 else "rows belong"
        yield (
            f"{file.name}: {file.left_out:,} {rows} to no known event and no known header and stayed out "
            f"(the first in line {file.left_out_at})."
        )


def summary_faults(file: MetricsFile) -> Iterator[str]:
    """A note for each fault of the published summary that a file's rows show."""
    for find in (_bytes_as_seconds, _median_of_two, _acknowledgement_as_answer):
        fault = find(file)
        if fault:
            yield f"{file.name}: {fault}"


def _bytes_as_seconds(file: MetricsFile) -> str:
    if not (file.memory and file.latencies):
        return ""
    peaks = [memory.peak for memory in file.memory]
    apart = "; ".join(
        f"the mean of {definition.name} is {_ms(fmean(values))} over {len(values):,}"
        for definition, values in file.by_definition().items()
    )
    return (
        f"the mean of the whole column is {_ms(fmean(file.column))} over {len(file.column):,} rows, because "
        f"{len(peaks):,} of them are bytes (up to {max(peaks):,}) and were taken for seconds. Without them {apart}."
    )


def _median_of_two(file: MetricsFile) -> str:
    pooled = [row.seconds for row in file.latencies]
    if not pooled:
        return ""
    middle = median(pooled)
    below = {row.definition for row in file.latencies if row.seconds < middle}
    above = {row.definition for row in file.latencies if row.seconds > middle}
    nearest = min(abs(seconds - middle) for seconds in pooled)
    if not below or not above or below & above or nearest <= _NEAR * middle:
        return ""
    apart = "; ".join(
        f"{definition.name} from {_ms(min(values))} to {_ms(max(values))}"
        for definition, values in file.by_definition().items()
    )
    return (
        f"the median of the whole column, {_ms(middle)}, lies between populations and near none of the "
        f"{len(pooled):,} rows: {apart}."
    )


def _acknowledgement_as_answer(file: MetricsFile) -> str:
    apart = file.by_definition()
    replies = apart.get(definitions.LEGACY_REPLY)
    starts = apart.get(definitions.LEGACY_SESSION_START)
    if not replies or not starts or median(replies) >= median(starts):
        return ""
    return (
        f"the median of the whole column is {_ms(median(file.column))}, that of the replies to messages "
        f"{_ms(median(replies))}: sooner than a session starts ({_ms(median(starts))}), for which no model is asked. "
        "That is the server's acknowledgement; the file holds no answer's latency."
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.2f} ms"
