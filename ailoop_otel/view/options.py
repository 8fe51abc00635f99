"""The options of `ailoop-otel traces`: which records are shown, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ailoop_otel import names
from ailoop_otel.settings import Settings, UsageError, read_dotenv

OPEN: Final = "open"
# What became of an open exchange whose server has ended, as tables and as JSON name it.
LOST: Final = "lost"
SERVER_ENDED: Final = "server_ended"
OUTCOMES: Final = (*(outcome.name for outcome in names.OUTCOMES), OPEN, LOST, SERVER_ENDED)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which records are shown; `limit` is the maximum of rows in a table.

    `since` and `until` are in nanoseconds since 1970, 0 without one; `min_duration` is in seconds.

    Raises UsageError for an unknown outcome or a limit below 1.
    """

    session: str = ""
    outcome: str = ""
    errors: bool = False
    since: int = 0
    limit: int = 50
    until: int = 0
    min_duration: float = 0.0
    agent: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        if self.outcome and self.outcome not in OUTCOMES:
            raise UsageError(f"there is no outcome {self.outcome!r}: take one of {', '.join(OUTCOMES)}")
        if self.limit < 1:
            raise UsageError(f"--limit {self.limit} shows nothing: take 1 or more")

    @property
    def narrow(self) -> bool:
        """Whether any filter is set."""
        return self != Filters(limit=self.limit)

    @property
    def of_exchanges(self) -> bool:
        """Whether a filter is set that only exchanges can pass."""
        return bool(self.outcome or self.agent or self.model or self.min_duration)

    def has_session(self, session_id: str) -> bool:
        """Whether a session passes: by the beginning of its id, or by the `head…tail` form that a table shows."""
        head, _, tail = self.session.partition("…")
        return session_id.startswith(head) and session_id.endswith(tail)

    def has_times(self, start: int, end: int) -> bool:
        """Whether what lasted from `start` to `end` passes."""
        return end >= self.since and (not self.until or start <= self.until)


@dataclass(frozen=True, slots=True)
class TracesOptions:
    """All options; an empty `directory` means the one of AILOOP_OTEL_DIRECTORY, here or in the server's `.env`.

    `depth` is the number of levels of a trace that are shown, 0 for all.
    """

    directory: str = ""
    filters: Filters = field(default_factory=Filters)
    trace: str = ""
    waterfalls: int = 1
    json: bool = False
    depth: int = 0
    only: str = ""

    @property
    def place(self) -> Path:
        """The directory of the files, or one file."""
        return Path(self.directory or Settings.from_environment({**read_dotenv(Path()), **os.environ}).directory)
