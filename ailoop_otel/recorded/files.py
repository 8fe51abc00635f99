"""Finding, reading and following the files of the embedded default."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from ailoop_otel.recorded.records import Batch, Parser, parse, rescue

SUFFIX: Final = ".jsonl"
# A line is one export of a few hundred spans. What is longer is no line of ours and must not fill memory.
LONGEST_LINE: Final = 64 * 1024 * 1024
_BLOCK: Final = 64 * 1024
_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(slots=True)
class Tally:
    """How many lines were read, and what could not be, with the places for the one line that tells it."""

    understood: int = 0
    skipped: int = 0
    skipped_at: str = ""
    half_written: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def skip(self, place: str, count: int = 1) -> None:
        """Count lines or records that made no sense."""
        self.skipped_at = self.skipped_at or place
        self.skipped += count

    def fail(self, path: Path, error: OSError) -> None:
        """Note once that a file cannot be read at all."""
        trouble = f"{path.name} ({error.strerror or type(error).__name__})"
        if trouble not in self.unreadable:
            self.unreadable.append(trouble)


def find(place: Path) -> list[Path]:
    """The telemetry files of a directory in the order they were begun, or the one file that is named."""
    if place.is_file():
        return [place]
    try:
        return sorted((path for path in place.iterdir() if path.suffix == SUFFIX and path.is_file()), key=_order)
    except OSError:
        return []


def size(paths: list[Path]) -> int:
    """What the files take up together, in bytes; one that is gone meanwhile counts nothing."""
    return sum(_size(path) for path in paths)


def read(
    paths: Sequence[Path],
    tally: Tally,
    wanted: Callable[[bytes], bool] = lambda line: True,
    parser: Parser = parse,
) -> Iterator[Batch]:
    """Read files line by line; a line that `wanted` refuses is not even decoded."""
    for path in paths:
        yield from _read(path, tally, wanted, parser)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # the writer's rotation took it
        return 0


def _read(path: Path, tally: Tally, wanted: Callable[[bytes], bool], parser: Parser) -> Iterator[Batch]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(file), 1):
                if wanted(line):
                    yield _understood(line, f"{path.name}, line {number}", path.name, tally, parser)
    except FileNotFoundError:  # the writer's rotation took it
        return
    except OSError as error:
        tally.fail(path, error)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        yield line
        while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)


def _understood(line: bytes, place: str, file: str, tally: Tally, parser: Parser = parse) -> Batch:
    if not line.strip():
        return Batch()
    batch = parser(line)
    if batch is None and len(line) < LONGEST_LINE and not line.endswith(b"\n"):
        tally.half_written.append(file)
        return Batch()
    if batch is None:
        tally.skip(place)
        batch = rescue(line, parser)
    if batch is None:
        return Batch()
    tally.understood += 1
    if batch.damaged:
        tally.skip(place, batch.damaged)
    return batch


def _order(path: Path) -> list[tuple[int, int, str]]:
    """Names sort by the numbers in them: the tenth file of a process comes after its ninth."""
    parts = _DIGITS.split(path.name)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


class Follower:
    """Reads what is appended to a directory's files, over rotation and new files, one poll at a time.

    A file is known by its inode, so one that is renamed is not read twice. It is open only during a poll, so that
    its writer may remove it.
    """

    def __init__(self, place: Path, *, from_start: bool = False) -> None:
        self.tally = Tally()
        self._place = place
        self._read_to: dict[tuple[int, int], int] = {}
        if not from_start:
            for path in find(place):
                self._start_at_end(path)

    def poll(self) -> Iterator[Batch]:
        """Everything that was completed since the last poll; to be read to its end."""
        paths = find(self._place)
        if not paths:  # nothing there yet, or the directory could not be listed just now
            return
        known, self._read_to = self._read_to, {}
        for path in paths:
            yield from self._appended(path, known)

    def _start_at_end(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                end = file.seek(0, 2)
                self._read_to[_identity(file)] = _last_break(file, end)
        except FileNotFoundError:
            return
        except OSError as error:
            self.tally.fail(path, error)

    def _appended(self, path: Path, known: dict[tuple[int, int], int]) -> Iterator[Batch]:
        try:
            with path.open("rb") as file:
                key, end = _identity(file), file.seek(0, 2)
                start = known.get(key, 0)
                file.seek(start if start <= end else 0)
                yield from self._complete(file, path.name)
                self._read_to[key] = file.tell()
        except FileNotFoundError:
            return
        except OSError as error:
            self.tally.fail(path, error)

    def _complete(self, file: BinaryIO, name: str) -> Iterator[Batch]:
        """Read whole lines and leave the file at the beginning of one that is still being written."""
        for line in iter(lambda: file.readline(LONGEST_LINE), b""):
            if not line.endswith(b"\n") and len(line) < LONGEST_LINE:
                file.seek(-len(line), 1)
                return
            yield _understood(line, name, name, self.tally)


def _identity(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


def _last_break(file: BinaryIO, end: int) -> int:
    """Where the last whole line ends, looked for from the end; 0 when there is none."""
    while end > 0:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
