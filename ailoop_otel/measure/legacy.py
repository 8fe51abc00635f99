"""CSV files of the earlier generation's performance tests as a run, with one metric for each of their events.

Each run of a test appended its rows, `event,latency` in seconds; then, under their own headers, `error_type,count`
and `memory_current,memory_peak`, the latter in bytes. The next run continued without a header.

Notes of the run explain what the published summary of such files gets wrong: `summarize_performance_metrics.py`
averaged the second column of each file as milliseconds, whatever it held. A fault is noted only for a file whose own
rows show it.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Final, NamedTuple

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.recorded.input_file import open_input

_LATENCIES: Final = ("event", "latency")
_ERRORS: Final = ("error_type", "count")
_MEMORY: Final = ("memory_current", "memory_peak")
_LONGEST_LINE: Final = 1_000_000
# Larger than every number of bytes or seconds, and small enough for sums of many.
_LARGEST: Final = 1e18
_COUNT: Final = re.compile(r"[0-9]{1,18}")
# The digits of an event are the numbers of its session (in a burst) and of its message.
_EVENTS: Final = (
    (re.compile(r"start_session"), definitions.LEGACY_SESSION_START),
    (re.compile(r"stop_session"), definitions.LEGACY_SESSION_STOP),
    (re.compile(r"timeout_trigger"), definitions.LEGACY_TIMEOUT),
    (re.compile(r"user_msg_(\d{1,9})_\d{1,9}"), definitions.LEGACY_BURST_REPLY),
    (re.compile(r"user_msg_\d{1,9}"), definitions.LEGACY_REPLY),
)
_NO_TIMES: Final = (
    "The old files hold no times: runs are told apart by the order of their rows, and nothing is shown over time."
)
# Session numbers must be unique in a run, so each file has its own range.
_RANGE: Final = 1_000_000
# Share of a median: a value as near as this to it shows that it does not lie between two populations.
_NEAR: Final = 0.1


class Latency(NamedTuple):
    """One row `event,latency`: its metric, seconds, and the number of its session in the file."""

    definition: Definition
    seconds: float
    session: int


class MetricsFile:
    """The rows of one file, each as the kind that it is; raises Refusal for one that cannot be read or is another's.

    `memory` holds pairs of current and peak bytes, `column` all numbers of the second column, as the published summary
    used them; `left_out` counts rows of no kind, the first of them in line `left_out_at`.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.latencies: list[Latency] = []
        self.memory: list[tuple[int, int]] = []
        self.errors: Counter[str] = Counter()
        self.column: list[float] = []
        self.runs = self.left_out = self.left_out_at = 0
        self._header = _LATENCIES
        self._seen: set[str] = set()
        self._run_ended = True
        self._sessions: dict[tuple[int, str], int] = {}
        try:
            reader = csv.reader(_lines(path))
            for cells in reader:
                self._take(reader.line_num, tuple(cell.strip() for cell in cells))
        except OSError as error:
            raise Refusal(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
        except csv.Error as error:
            raise Refusal(f"{path} is no CSV file: {error}") from error
        if not self.latencies and not self.memory:
            raise Refusal(
                f"{path} is none of the old metrics files: no row of it is an event and its seconds, "
                f"such as `start_session,0.0022`, and none a memory reading below `{','.join(_MEMORY)}`"
            )

    def by_definition(self) -> dict[Definition, list[float]]:
        """The latencies in seconds by metric."""
        apart: dict[Definition, list[float]] = {}
        for row in self.latencies:
            apart.setdefault(row.definition, []).append(row.seconds)
        return apart

    def _take(self, line: int, words: tuple[str, ...]) -> None:
        if words in (_LATENCIES, _ERRORS, _MEMORY):
            self._header = words
        elif any(words):
            number = _number(words[1]) if len(words) > 1 else None
            if number is not None:
                self.column.append(number)
            if number is None or len(words) != 2 or not self._add(words[0], words[1], number):
                self.left_out += 1
                self.left_out_at = self.left_out_at or line

    def _add(self, event: str, text: str, seconds: float) -> bool:
        for pattern, definition in _EVENTS:
            if found := pattern.fullmatch(event):
                self._begin(event)
                session = (self.runs, found[1] if pattern.groups else "")
                number = self._sessions.setdefault(session, len(self._sessions))
                self.latencies.append(Latency(definition, seconds, number))
                return True
        if self._header == _MEMORY and _COUNT.fullmatch(event) and _COUNT.fullmatch(text):
            self.memory.append((int(event), int(text)))
        elif self._header == _ERRORS and event.isidentifier() and _COUNT.fullmatch(text):
            self.errors[event] += int(text)
        else:
            return False
        self._run_ended = True
        return True

    def _begin(self, event: str) -> None:
        """Begin a new run where an event repeats, or after the rows that end a run."""
        if self._run_ended or event in self._seen:
            self.runs += 1
            self._seen.clear()
        self._run_ended = False
        self._header = _LATENCIES
        self._seen.add(event)


def _lines(path: Path) -> Iterator[str]:
    encoding = "utf-8-sig"
    with open_input(path) as file:
        while line := file.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise csv.Error(f"a line is longer than {_LONGEST_LINE:,} bytes")
            yield line.decode(encoding, "replace")
            encoding = "utf-8"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < _LARGEST else None


def import_files(paths: Sequence[Path]) -> Run:
    """Create one run from several files; raises Refusal for a file that cannot be read or is named twice."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise Refusal("a file is named twice: its rows would count twice")
    files = [MetricsFile(path) for path in paths]
    observations = [row for number, file in enumerate(files) for row in _observations(file, number * _RANGE)]
    notes = [_NO_TIMES, *(note for file in files for note in (*summary_faults(file), *_about(file)))]
    context = Context(
        scenario="legacy",
        source="legacy",
        settings={"files": [file.name for file in files], "runs": {file.name: file.runs for file in files}},
        notes=tuple(notes),
    )
    return Run(context, observations)


def _observations(file: MetricsFile, sessions: int) -> Iterator[Observation]:
    """The observations of a file; none has an exchange number, since the tests timed no answer."""
    for row in file.latencies:
        yield observed(row.definition, row.seconds, 0.0, session=sessions + row.session, label=file.name)
    for current, peak in file.memory:
        yield observed(definitions.LEGACY_MEMORY_CURRENT, current, 0.0, label=file.name)
        yield observed(definitions.LEGACY_MEMORY_PEAK, peak, 0.0, label=file.name)


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
    peaks = [peak for _, peak in file.memory]
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
