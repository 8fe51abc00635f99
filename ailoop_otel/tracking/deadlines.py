"""How long the AI may stay silent, and what it is when it stays silent longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from ailoop_otel.settings import Settings

FIRST_CHUNK: Final = "first_chunk"
STALL: Final = "stall"
TOTAL: Final = "total"
NEVER: Final = 1 << 62  # later than any deadline, nanoseconds
_SECOND: Final = 1_000_000_000


@dataclass(frozen=True)
class Deadlines:
    """How long the AI may stay silent, nanoseconds; 0 is for ever."""

    first_chunk: int
    stall: int
    total: int

    @classmethod
    def of(cls, settings: Settings) -> Deadlines:
        """The deadlines that the settings say, which are in seconds."""
        return cls(*(int(seconds * _SECOND) for seconds in (settings.first_chunk, settings.stall, settings.total)))


class Timeout(NamedTuple):
    """A silence beyond its deadline: `since` the last sign of life, `due` and `noticed` in monotonic nanoseconds."""

    phase: str
    allowed: int
    since: int
    due: int
    noticed: int
