"""Recorded sessions, as a scenario holds them, and what happens in them in order of time.

Times are seconds after the begin of the recorded traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ailoop_otel.measure.load.checked_table import number, tables

_WEEK: Final = 7 * 86_400.0
_ORDER: Final = ("open", "message", "close")


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """A message of a recorded session: its `text`, or a frame of `size` characters."""

    at: float = number(0.0, 0.0, _WEEK)
    size: int = number(0, 0, 100_000_000)
    text: str = ""
    command: bool = False


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """A recorded session: when it opened and closed, and its messages in order of time."""

    opened: float = number(0.0, 0.0, _WEEK)
    closed: float = number(0.0, 0.0, _WEEK)
    messages: tuple[RecordedMessage, ...] = tables(RecordedMessage)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Recorded traffic, whose sessions are the load: where it is from, in words, and how many times as fast it is."""

    source: str = ""
    pace: float = number(1.0, 0.001, 1000.0)
    sessions: tuple[RecordedSession, ...] = tables(RecordedSession)

    @property
    def opened_before(self) -> int:
        """How many sessions are open at the begin; they are the first ones."""
        return sum(not each.opened for each in self.sessions)

    @property
    def messages(self) -> int:
        """How many messages all sessions send."""
        return sum(len(each.messages) for each in self.sessions)


class Step(NamedTuple):
    """What happens at a time in one session, named by its place among the sessions."""

    at: float
    what: Literal["open", "message", "close"]
    session: int
    message: RecordedMessage | None = None


def steps(sessions: Sequence[RecordedSession]) -> list[Step]:
    """All that happens in sessions, in order of time: a session opens before its messages and closes after them."""
    made: list[Step] = []
    for place, session in enumerate(sessions):
        times = [each.at for each in session.messages]
        made.append(Step(min([session.opened, *times]), "open", place))
        made += (Step(each.at, "message", place, each) for each in session.messages)
        made.append(Step(max([session.closed, *times]), "close", place))
    return sorted(made, key=lambda step: (step.at, _ORDER.index(step.what)))
