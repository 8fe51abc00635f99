"""A file of lines that is closed when it is big or old, in a directory that stays within its bounds."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ailoop_otel.export import retention
from ailoop_otel.export.notices import DIRECTORY_WARNINGS, DirectoryWarnings
from ailoop_otel.settings import Settings
from ailoop_otel.unpatched import os, time

# Telemetry holds sessions' ids, addresses and what failed when: only the server's own user needs to read it.
# A directory that exists already keeps the mode that its owner gave it.
_DIRECTORY_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_FLAGS: Final = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)
_LOOK_AFTER: Final = 60.0  # seconds between two looks at the directory's bounds
# A quiet signal's file would be written to for ever, so it is closed at this part of the age that files may have.
_PART_OF_AGE: Final = 1 / 10
# All three signals have a file open, and those are not deleted.
_PART_OF_TOTAL: Final = 1 / 4
_TRIES: Final = 1000


@dataclass(frozen=True)
class Bounds:
    """Where telemetry files are and how much of them there may be: bytes and seconds."""

    directory: str
    max_file: float
    max_total: float
    max_age: float

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """The bounds that the settings say, which are in megabytes and hours."""
        directory = os.path.abspath(settings.directory)
        return cls(directory, settings.max_file * 1e6, settings.max_total * 1e6, settings.max_age * 3600)


class RotatingFile:
    """Appends lines of one signal to `<signal>-<UTC time>-<pid>-<n>.jsonl`; `path` is the last one's.

    Not thread-safe; a forked child goes on in a file of its own. The directory is made at the first write. `on_delete`
    is called with each file that goes because the directory is full or the file old.
    """

    def __init__(
        self,
        signal: str,
        bounds: Bounds,
        clock: Callable[[], float] = time.time,
        warnings: DirectoryWarnings = DIRECTORY_WARNINGS,
        on_delete: Callable[[retention.TelemetryFile], object] = lambda file: None,
    ) -> None:
        self._signal = signal
        self._directory = os.path.abspath(bounds.directory)
        self._bounds = bounds
        self._max_file = min(bounds.max_file, bounds.max_total * _PART_OF_TOTAL)
        self.clock = clock
        self._warnings = warnings
        self._on_delete = on_delete
        self._pid = os.getpid()
        self._descriptor: int | None = None
        self.path = ""
        self._opened_at = 0.0
        self._looked_at = float("-inf")
        self._size = 0
        self._number = 0

    def write(self, line: bytes) -> bool:
        """Append a whole line, or nothing at all and False; logs what is wrong in one line, never raises."""
        try:
            self._append(self._ready(len(line)), line)
        except OSError as fault:
            self._warnings.warn(self._directory, fault)
            return False
        self._warnings.over(self._directory)
        return True

    def close(self) -> None:
        """Close the file; the next write opens another."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        if self._pid == os.getpid():
            retention.unlock(descriptor)
        with suppress(OSError):
            os.close(descriptor)

    def _ready(self, size: int) -> int:
        now = self.clock()
        descriptor = self._descriptor
        if descriptor is not None and self._is_done(now, size):
            self.close()
            descriptor = None
        if descriptor is None:
            descriptor = self._open(now)
        if now - self._looked_at >= _LOOK_AFTER or now < self._looked_at:
            self._looked_at = now
            # Leave room for what the open file may still become.
            room = self._bounds.max_total - max(0.0, self._max_file - self._size)
            retention.prune(self._directory, room, self._bounds.max_age, now, self._on_delete)
        return descriptor

    def _is_done(self, now: float, size: int) -> bool:
        return (
            self._pid != os.getpid()
            or (self._size > 0 and self._size + size > self._max_file)
            or now - self._opened_at > self._bounds.max_age * _PART_OF_AGE
            or not self._is_there()
        )

    def _is_there(self) -> bool:
        """Whether the path still leads to the open file: deleted or moved, it would swallow lines unseen."""
        try:
            return self._descriptor is not None and os.path.samestat(os.stat(self.path), os.fstat(self._descriptor))
        except OSError:
            return False

    def _open(self, now: float) -> int:
        os.makedirs(self._directory, _DIRECTORY_MODE, exist_ok=True)
        self._pid = os.getpid()
        stamp = time.strftime(retention.STAMP, time.gmtime(now))
        for _ in range(_TRIES):
            self._number += 1
            self.path = f"{self._directory}/{self._signal}-{stamp}-{self._pid}-{self._number}.jsonl"
            try:
                descriptor = os.open(self.path, _FLAGS, _FILE_MODE)
            except FileExistsError:
                continue  # another exporter of this process
            retention.lock(descriptor)
            self._descriptor = descriptor
            self._size = 0
            self._opened_at = now
            self._looked_at = float("-inf")
            return descriptor
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.path)

    def _append(self, descriptor: int, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:
                written = os.write(descriptor, rest)
                if not written:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                rest = rest[written:]
        except OSError:
            self._take_back(descriptor)
            raise
        self._size += len(line)

    def _take_back(self, descriptor: int) -> None:
        """Cut off what was written of a line; where that fails, the half line stays the file's last."""
        try:
            os.ftruncate(descriptor, self._size)
        except OSError:
            self.close()
