"""A database of the lines that a collector has acknowledged, so that they are not sent again."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from ailoop_otel.recorded.input_file import read_lines
from ailoop_otel.replay.delivery import ReplayStopped
from ailoop_otel.replay.export_request import parse
from ailoop_otel.settings import UsageError

NAME: Final = ".ailoop-otel-replayed.sqlite"
_APPLICATION: Final = 0x61696C70  # SQLite's application id: "ailp"
_HASH_SIZE: Final = 16  # bytes


class Acknowledged:
    """The lines that one destination has acknowledged; each is stored before the next is sent.

    A line is identified by a hash of its content, so files may grow, be rotated, renamed, copied or merged. Each line
    is a transaction of its own that survives a killed process. Only one process at a time can open the file.

    Raises UsageError if the file cannot be used.
    """

    def __init__(self, path: Path, destination: str) -> None:
        self._path = path
        self._key = blake2b(destination.encode(), digest_size=_HASH_SIZE).digest()
        with ExitStack() as failed:
            try:
                self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
                failed.callback(self._database.close)
                self._open()
            except sqlite3.Error as fault:
                raise self._usage_error(fault) from None
            failed.pop_all()

    def __contains__(self, content: bytes) -> bool:
        found = self._database.execute("SELECT 1 FROM acknowledged WHERE line = ?", (self._hash(content),))
        return found.fetchone() is not None

    def add(self, content: bytes) -> None:
        """Store that this line was acknowledged; raises ReplayStopped if it cannot be written."""
        try:
            self._database.execute("INSERT OR IGNORE INTO acknowledged VALUES (?)", (self._hash(content),))
        except sqlite3.Error as fault:
            raise ReplayStopped(f"what was sent cannot be noted in {self._path} ({fault})") from None

    def __enter__(self) -> Acknowledged:
        return self

    def __exit__(self, *_: object) -> None:
        # On a full disk SQLite cannot clean up; the committed lines are safe in its write-ahead log.
        with suppress(sqlite3.Error):
            self._database.close()

    def _open(self) -> None:
        execute = self._database.execute
        owner = execute("PRAGMA application_id").fetchone()[0]
        if owner != _APPLICATION and execute("SELECT 1 FROM sqlite_master").fetchone():
            raise UsageError(f"{self._path} is another program's database: name another file with --state")
        # Locked until it is closed, and without a shared-memory file, which not every file system supports.
        execute("PRAGMA locking_mode = EXCLUSIVE")
        # A commit is one write: it survives a killed process; after a power failure the last lines may be missing.
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("BEGIN EXCLUSIVE")
        execute(f"PRAGMA application_id = {_APPLICATION}")
        execute("CREATE TABLE IF NOT EXISTS acknowledged (line BLOB PRIMARY KEY) WITHOUT ROWID")
        execute("COMMIT")

    def _hash(self, content: bytes) -> bytes:
        return blake2b(content, digest_size=_HASH_SIZE, key=self._key).digest()

    def _usage_error(self, fault: sqlite3.Error) -> UsageError:
        reason = str(fault)
        if "locked" in reason:
            return UsageError(f"another replay has {self._path} open: wait until it is done")
        if "not a database" in reason or "malformed" in reason:
            return UsageError(f"{self._path} holds no record of what was sent: name another file with --state")
        return UsageError(f"what was sent cannot be noted in {self._path} ({reason}): name another file with --state")


def unacknowledged(path: Path, destination: str) -> int:
    """How many records of a file a destination has not acknowledged; while it is being sent, how many there are.

    Raises OSError if the file cannot be read.
    """
    state = path.absolute().parent / NAME
    with ExitStack() as stack:
        acknowledged: Acknowledged | set[bytes] = set()
        if state.exists():
            with suppress(UsageError):
                acknowledged = stack.enter_context(Acknowledged(state, destination))
        lines = (line.content for line in read_lines(path) if line.ended and not line.too_long)
        found = (parse(content) for content in lines if content and content not in acknowledged)
        return sum(request.points for request in found if request is not None)
