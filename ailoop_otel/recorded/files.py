"""Finds, reads and follows the files that the embedded default writes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

from ailoop_otel.recorded.input_file import Line, lines_of, open_regular, read_lines
from ailoop_otel.recorded.otlp_json import UNDELIVERED, text
from ailoop_otel.recorded.records import Batch, Parser, parse, rescue

SUFFIX: Final = ".jsonl"
COMPRESSED: Final = f"{SUFFIX}.gz"
# The embedded default's: it holds a lock on each that it writes to.
_OWN: Final = re.compile(r"(traces|metrics|logs)-\d{8}T\d{6}Z?-\d+-\d+\.jsonl(\.gz)?")
_BLOCK: Final = 64 * 1024
_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(slots=True)
class ReadCounts:
    """How many lines were read, and what could not be read, with file names and line numbers for the message."""

    understood: int = 0
    skipped: int = 0
    skipped_at: str = ""
    backwards: int = 0
    """Spans that end before they start; they are left out."""
    half_written: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def skip(self, place: str, count: int = 1) -> None:
        """Count lines or records that could not be read."""
        self.skipped_at = self.skipped_at or place
        self.skipped += count

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """Record once that a file cannot be opened or read to its end; one that was deleted is none any more."""
        try:
            yield
        except FileNotFoundError:  # by the writer's rotation
            return
        except OSError as error:
            failure = f"{text(path.name)} ({error.strerror or type(error).__name__})"
            if failure not in self.unreadable:
                self.unreadable.append(failure)


def find(place: Path) -> list[Path]:
    """The telemetry files of a directory, oldest first; if `place` is anything else, that. Never raises."""
    try:
        if place.exists() and not place.is_dir():
            return [place]
        found = (path for path in place.iterdir() if path.name.endswith((SUFFIX, COMPRESSED)) and path.is_file())
        return sorted(found, key=_order)
    except OSError:
        return []


def size(paths: list[Path]) -> int:
    """The total size of files in bytes; a file that was deleted meanwhile counts 0."""
    total = 0
    for path in paths:
        with suppress(OSError):
            total += path.stat().st_size
    return total


def undelivered(paths: Sequence[Path]) -> list[Path]:
    """Of these files those that hold only what no collector has taken."""
    return [path for path in paths if path.name.startswith(UNDELIVERED)]


def is_held(path: str) -> bool | None:
    """Whether a process has a file open to write to it, by the lock that our writer holds; None if nobody can know."""
    if sys.platform == "win32" or not _OWN.fullmatch(os.path.basename(path)):
        return None
    if path.endswith(COMPRESSED):
        return False
    import fcntl

    try:
        with open_regular(Path(path)) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return None
    return False


def read(
    paths: Sequence[Path],
    counts: ReadCounts,
    wanted: Callable[[bytes], bool] = lambda line: True,
    parser: Parser = parse,
) -> Iterator[Batch]:
    """Read files line by line; a line that `wanted` rejects is not decoded. Never raises: failures are counted."""
    for path in paths:
        name = text(path.name)
        with counts.reading(path):
            for line in read_lines(path):
                if wanted(line.content):
                    yield replace(_parsed(line, f"{name}, line {line.number}", name, counts, parser), path=str(path))


def _parsed(line: Line, place: str, file: str, counts: ReadCounts, parser: Parser) -> Batch:
    if not line.content:
        return Batch()
    batch = parser(line.content)
    if batch is None and not line.ended and not line.too_long:
        counts.half_written.append(file)
        return Batch()
    if batch is None:
        counts.skip(place)
        batch = rescue(line.content, parser)
    if batch is None:
        return Batch()
    counts.understood += 1
    counts.backwards += batch.backwards
    if batch.damaged:
        counts.skip(place, batch.damaged)
    return batch


def _order(path: Path) -> list[tuple[int, int, str]]:
    """Sort key by the numbers in a name, so that the tenth file of a process comes after its ninth."""
    parts = _DIGITS.split(path.name)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


class Follower:
    """Reads what is appended to the files of a directory, one poll at a time, across rotation and new files.

    A file is identified by its inode, so a renamed one is not read twice. Files are open only during a poll, so that
    their writer can delete them. Nothing is appended to compressed files: they are read at the first poll `from_start`,
    or not at all. Without `from_start`, of each file the last `recent` bytes are read at the first poll. `paths` are
    the files that were there at the last poll.
    """

    def __init__(self, place: Path, *, from_start: bool = False, recent: int = 0, parser: Parser = parse) -> None:
        self.counts = ReadCounts()
        self.paths: list[Path] = []
        self._place = place
        self._recent = recent
        self._parser = parser
        self._read_to: dict[tuple[int, int], int] = {}
        paths = find(place)
        self._compressed = [path for path in paths if from_start and path.name.endswith(COMPRESSED)]
        if not from_start:
            for path in _plain(paths):
                self._start_at_end(path)

    def poll(self) -> Iterator[Batch]:
        """Read the lines completed since the last poll. The caller must exhaust the iterator."""
        compressed, self._compressed = self._compressed, []
        yield from read(compressed, self.counts)
        self.paths = find(self._place)
        paths = _plain(self.paths)
        if not paths:  # there is no file yet, or the directory cannot be listed at the moment
            return
        known, self._read_to = self._read_to, {}
        for path in paths:
            yield from self._appended(path, known)

    def _start_at_end(self, path: Path) -> None:
        with self.counts.reading(path), open_regular(path) as file:
            end = file.seek(0, 2)
            self._read_to[_identity(file)] = _last_break(file, max(0, end - self._recent))

    def _appended(self, path: Path, known: dict[tuple[int, int], int]) -> Iterator[Batch]:
        """Read complete lines; one that is still being written is read again at the next poll."""
        name = text(path.name)
        with self.counts.reading(path), open_regular(path) as file:
            key, end = _identity(file), file.seek(0, 2)
            start = known.get(key, 0)
            file.seek(start if start <= end else 0)
            for line in lines_of(file):
                if not line.ended and not line.too_long:
                    file.seek(-line.size, 1)
                    break
                yield replace(_parsed(line, name, name, self.counts, self._parser), path=str(path))
            self._read_to[key] = file.tell()


def _plain(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if not path.name.endswith(COMPRESSED)]


def _identity(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


def _last_break(file: BinaryIO, end: int) -> int:
    """The offset where the last complete line ends, searched from the end of the file; 0 if there is none."""
    while end > 0:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
