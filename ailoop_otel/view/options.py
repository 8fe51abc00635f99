"""The options of `ailoop-otel traces`: which records are shown, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ailoop_otel import names
from ailoop_otel.settings import Settings, UsageError

OPEN: Final = "open"
OUTCOMES: Final = (*(outcome.name for outcome in names.OUTCOMES), OPEN)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which records are shown; `since` is in nanoseconds since 1970, `limit` is the maximum of rows in a table.

    Raises UsageError for an unknown outcome or a limit below 1.
    """

    session: str = ""
    outcome: str = ""
    errors: bool = False
    since: int = 0
    limit: int = 50

    def __post_init__(self) -> None:
        if self.outcome and self.outcome not in OUTCOMES:
            raise UsageError(f"there is no outcome {self.outcome!r}: take one of {', '.join(OUTCOMES)}")
        if self.limit < 1:
            raise UsageError(f"--limit {self.limit} shows nothing: take 1 or more")

    @property
    def narrow(self) -> bool:
        """Whether any filter is set."""
        return bool(self.session or self.outcome or self.errors or self.since)

    def has_session(self, session_id: str) -> bool:
        """Whether a session passes: by the beginning of its id, or by the `head…tail` form that a table shows."""
        head, _, tail = self.session.partition("…")
        return session_id.startswith(head) and session_id.endswith(tail)

    def has_outcome(self, outcome: str, *, failed: bool) -> bool:
        """Whether an exchange with this outcome passes."""
        return (not self.outcome or outcome == self.outcome) and (failed or not self.errors)


@dataclass(frozen=True, slots=True)
class TracesOptions:
    """All options; an empty `directory` means the one of AILOOP_OTEL_DIRECTORY."""

    directory: str = ""
    filters: Filters = field(default_factory=Filters)
    trace: str = ""
    waterfalls: int = 1
    json: bool = False

    @property
    def place(self) -> Path:
        """The directory of the files, or one file."""
        return Path(self.directory or Settings.from_environment().directory)
