"""Reads a CSV file of the earlier generation's performance tests, each row as the kind that it is.

Each run of a test appended its rows, `event,latency` in seconds; then, under their own headers, `error_type,count`
and `memory_current,memory_peak`, the latter in bytes. The next run continued without a header.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.recorded.input_file import open_input

_LATENCIES: Final = ("event", "latency")
_ERRORS: Final = ("error_type", "count")
_MEMORY: Final = ("memory_current", "memory_peak")
_HEADERS: Final = (_LATENCIES, _ERRORS, _MEMORY)
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


class Latency(NamedTuple):
    """One row `event,latency`: the event as written, its metric, seconds, and the numbers of its run and session."""

    event: str
    definition: Definition
    seconds: float
    run: int
    session: int


class Memory(NamedTuple):
    """One row `memory_current,memory_peak` in bytes, with the number of its run."""

    current: int
    peak: int
    run: int


@dataclass(slots=True)
class MetricsFile:
    """The rows of one file. `column` holds all numbers of its second column, as the published summary used them."""

    name: str
    latencies: list[Latency] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    column: list[float] = field(default_factory=list)
    runs: int = 0
    left_out: int = 0
    left_out_at: int = 0
    """The number of the first line that was left out."""

    def by_definition(self) -> dict[Definition, list[float]]:
        """The latencies in seconds by metric."""
        apart: dict[Definition, list[float]] = {}
        for row in self.latencies:
            apart.setdefault(row.definition, []).append(row.seconds)
        return apart


class _Reader:
    """Reads a file row by row; keeps the current header and the number of the run."""

    def __init__(self, result: MetricsFile) -> None:
        self.result = result
        self._header: tuple[str, ...] = _LATENCIES
        self._seen: set[str] = set()
        self._run_ended = True

    def take(self, line: int, cells: Sequence[str]) -> None:
        """Add one row, or count it as left out."""
        words = tuple(cell.strip() for cell in cells)
        if not any(words):
            return
        if words in _HEADERS:
            self._header = words
            return
        number = _number(words[1]) if len(words) > 1 else None
        if number is not None:
            self.result.column.append(number)
        if number is None or len(words) != 2 or not self._add(words[0], words[1], number):
            self.result.left_out += 1
            self.result.left_out_at = self.result.left_out_at or line

    def _add(self, event: str, text: str, seconds: float) -> bool:
        for pattern, definition in _EVENTS:
            found = pattern.fullmatch(event)
            if found:
                session = int(found.group(1)) if pattern.groups else 0
                self._begin(event)
                self.result.latencies.append(Latency(event, definition, seconds, self.result.runs, session))
                return True
        if self._header == _MEMORY and _COUNT.fullmatch(event) and _COUNT.fullmatch(text):
            self.result.memory.append(Memory(int(event), int(text), self.result.runs))
            self._run_ended = True
            return True
        if self._header == _ERRORS and event.isidentifier() and _COUNT.fullmatch(text):
            self.result.errors[event] += int(text)
            self._run_ended = True
            return True
        return False

    def _begin(self, event: str) -> None:
        """Begin a new run where an event repeats, or after the rows that end a run."""
        if self._run_ended or event in self._seen:
            self.result.runs += 1
            self._seen.clear()
        self._run_ended = False
        self._header = _LATENCIES
        self._seen.add(event)


def read(path: Path) -> MetricsFile:
    """Read one file; raises Refusal when it cannot be opened or is not such a file."""
    result = MetricsFile(path.name)
    reader = _Reader(result)
    try:
        for line, cells in _rows(path):
            reader.take(line, cells)
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
    except csv.Error as error:
        raise Refusal(f"{path} is no CSV file: {error}") from error
    if not result.latencies and not result.memory:
        raise Refusal(
            f"{path} is none of the old metrics files: no row of it is an event and its seconds, "
            f"such as `start_session,0.0022`, and none a memory reading below `{','.join(_MEMORY)}`"
        )
    return result


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(path))
    for cells in reader:
        yield reader.line_num, cells


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
