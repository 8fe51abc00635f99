"""What a summary of the old files gets wrong that takes a column for one quantity, as the published one did.

It averaged the second column of each file in milliseconds (`summarize_performance_metrics.py`). Nothing is said of a
file whose rows do not show the fault; all figures come from the file at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, median
from typing import Final

from ailoop_otel.measure.legacy.metrics_file import Sheet
from ailoop_otel.measure.results import definitions

# Nothing lies as near to a median that stands between two populations: a tenth of it.
_NEAR: Final = 0.1


def findings(sheet: Sheet) -> Iterator[str]:
    """One sentence or two for each fault that a file shows."""
    for find in (_bytes_as_seconds, _median_of_two, _acknowledgement_as_answer):
        told = find(sheet)
        if told:
            yield f"{sheet.name}: {told}"


def _bytes_as_seconds(sheet: Sheet) -> str:
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


def _median_of_two(sheet: Sheet) -> str:
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


def _acknowledgement_as_answer(sheet: Sheet) -> str:
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
