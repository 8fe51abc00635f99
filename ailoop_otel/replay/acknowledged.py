"""What a collector has acknowledged, kept beside the recording so that it is never sent again."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Final

from ailoop_otel.replay.refusal import Halt, Refusal

NAME: Final = ".ailoop-otel-replayed.sqlite"
_APPLICATION: Final = 0x61696C70  # SQLite's mark of whose file it is: "ailp"
_DIGEST: Final = 16  # bytes


class Acknowledged:
    """The lines that one destination has acknowledged, each remembered before the next is sent.

    A line is known by its content, so a file may grow, be rotated, renamed, copied or joined with another. Each
    line is a transaction of its own that outlives a killed process. One process at a time may have the file open.
    """

    def __init__(self, path: Path, destination: str) -> None:
        self._path = path
        self._key = blake2b(destination.encode(), digest_size=_DIGEST).digest()
        try:
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
        except sqlite3.Error as fault:
            raise self._refusal(fault) from None
        try:
            self._open()
        except sqlite3.Error as fault:
            self._database.close()
            raise self._refusal(fault) from None
        except Refusal:
            self._database.close()
            raise

    def holds(self, content: bytes) -> bool:
        """Whether this line was acknowledged."""
        found = self._database.execute("SELECT 1 FROM acknowledged WHERE line = ?", (self._digest(content),))
        return found.fetchone() is not None

    def add(self, content: bytes) -> None:
        """Remember that this line was acknowledged; raises Halt where that cannot be written down."""
        try:
            self._database.execute("INSERT OR IGNORE INTO acknowledged VALUES (?)", (self._digest(content),))
        except sqlite3.Error as fault:
            raise Halt(f"what was sent cannot be noted in {self._path} ({fault})") from None

    def __enter__(self) -> Acknowledged:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A full disk keeps SQLite from tidying up; what it noted is safe in its journal.
        with suppress(sqlite3.Error):
            self._database.close()

    def _open(self) -> None:
        execute = self._database.execute
        owner = execute("PRAGMA application_id").fetchone()[0]
        if owner != _APPLICATION and execute("SELECT 1 FROM sqlite_master").fetchone():
            raise Refusal(f"{self._path} is another program's database: name another file with --state")
        # Locked until it is closed, and no file of shared memory, which not every file system has.
        execute("PRAGMA locking_mode = EXCLUSIVE")
        # A commit is one write: what a killed process wrote is there, and after a power cut the last lines may lack.
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("BEGIN EXCLUSIVE")
        execute(f"PRAGMA application_id = {_APPLICATION}")
        execute("CREATE TABLE IF NOT EXISTS acknowledged (line BLOB PRIMARY KEY) WITHOUT ROWID")
        execute("COMMIT")

    def _digest(self, content: bytes) -> bytes:
        return blake2b(content, digest_size=_DIGEST, key=self._key).digest()

    def _refusal(self, fault: sqlite3.Error) -> Refusal:
        told = str(fault)
        if "locked" in told:
            return Refusal(f"another replay has {self._path} open: wait until it is done")
        if "not a database" in told or "malformed" in told:
            return Refusal(f"{self._path} holds no record of what was sent: name another file with --state")
        return Refusal(f"what was sent cannot be noted in {self._path} ({told}): name another file with --state")
