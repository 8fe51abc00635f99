"""Which telemetry files may go: closed ones, the oldest first, and nothing that is not named like one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final

from ailoop_otel.recorded.otlp_json import UNDELIVERED
from ailoop_otel.unpatched import os

if sys.platform != "win32":
    import fcntl

STAMP: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(
    rf"({UNDELIVERED})?(traces|metrics|logs)-"
    r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-(\d{1,10})-(\d{1,10})\.jsonl"
)
# A process differs from a later one with the same pid in its start time. Names carry whole seconds, and the start time
# that the kernel reports moves with the clock.
_SLACK: Final = 60.0  # seconds


@dataclass(frozen=True)
class TelemetryFile:
    """A file that an exporter wrote: opened and last written in seconds since the epoch, size in bytes.

    `undelivered` says that a collector was to have what it holds of `signal`.
    """

    path: str
    pid: int
    number: int
    opened: float
    changed: float
    size: int
    signal: str = ""
    undelivered: bool = False


def telemetry_files(directory: str) -> list[TelemetryFile]:
    """The telemetry files of a directory, the one that was written last at the end."""
    files = []
    with os.scandir(directory) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match is None or not entry.is_file(follow_symlinks=False):
                continue
            # Gone since it was listed, or a name that holds no date.
            with suppress(OSError, ValueError):
                state = entry.stat(follow_symlinks=False)
                kept, signal, *numbers = match.groups()
                # Not by `strptime`, whose module compiles patterns for all that a format may hold.
                year, month, day, hour, minute, second, pid, number = map(int, numbers)
                opened = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc).timestamp()
                about = (pid, number, opened, state.st_mtime, state.st_size)
                files.append(TelemetryFile(entry.path, *about, signal, kept is not None))
    # A file system's clock is coarse: of files changed in the same tick, the one with the higher number is newer.
    return sorted(files, key=lambda file: (file.changed, file.opened, file.number))


def undelivered_files(directory: str) -> list[TelemetryFile]:
    """Those that wait for a collector, in the same order."""
    return [file for file in telemetry_files(directory) if file.undelivered]


def prune(
    directory: str,
    max_total: float,
    max_age: float,
    now: float,
    on_delete: Callable[[TelemetryFile], object] = lambda file: None,
) -> None:
    """Delete closed files beyond `max_total` bytes or `max_age` seconds; raises OSError if it cannot look.

    `on_delete` is called with each before it goes.
    """
    files = telemetry_files(directory)
    total = sum(file.size for file in files)
    for file in files:
        if total <= max_total and now - file.changed <= max_age:
            return
        if is_live(file):
            continue
        # What may not be deleted stays; the next one may do.
        on_delete(file)
        with suppress(OSError):
            os.unlink(file.path)
            total -= file.size


def is_live(file: TelemetryFile) -> bool:
    """Whether somebody still writes to a file: its process runs, or its lock is held.

    Neither is enough alone: containers that share a volume do not see each other's processes and all have the
    same pid, and not every file system has locks.
    """
    if file.pid != os.getpid() and _is_running(file.pid, file.opened):
        return True
    return _is_locked(file.path)


def _is_running(pid: int, since: float) -> bool:
    # Only a folder with another process's files needs it, and it takes a megabyte.
    import psutil

    try:
        return psutil.Process(pid).create_time() <= since + _SLACK
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _is_locked(path: str) -> bool:
    if sys.platform == "win32":
        return False  # Windows does not delete a file that is open
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks
    finally:
        os.close(descriptor)
    return False


def lock(descriptor: int) -> None:
    """Mark an open file as live, for as long as this process has it open."""
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def unlock(descriptor: int) -> None:
    """Mark an open file as closed, also where a forked child still has it open."""
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
