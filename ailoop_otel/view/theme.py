"""The look of a terminal: its colours and signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ailoop_otel import units
from ailoop_otel.view.exchanges import OK, Exchange
from ailoop_otel.view.options import LOST, OPEN

WIDE: Final = 120
HEADING: Final = "bold"
QUIET: Final = "dim"
BAD: Final = "red"
GOOD: Final = "green"
UNSURE: Final = "yellow"
LIVE: Final = "cyan"

_OUTCOMES: Final = {
    OK: ("✓", GOOD),
    "ai_timeout": ("◷", "bold red"),
    "ai_error": ("✗", BAD),
    "server_error": ("✗", BAD),
    "protocol_error": ("✗", "magenta"),
    "no_answer": ("∅", BAD),
    "cut": ("╌", UNSURE),
    "cancelled": ("⊘", UNSURE),
    "disconnected": ("⇥", UNSURE),
    OPEN: ("◌", LIVE),
    LOST: ("⊘", BAD),
    "recovered": ("✓", GOOD),
}
_OTHER: Final = ("✗", BAD)
# The signs of tables and waterfalls; `terminal` has a plain one for each.
WAIT: Final = "─"
STREAM: Final = "━"
LEFT: Final = "╺"
RIGHT: Final = "╸"
BRANCH: Final = "├─ "
LAST: Final = "└─ "
TRUNK: Final = "│  "
ON: Final = "●"
OFF: Final = "○"
AGAIN: Final = "↻"
ERROR: Final = "✗"
EVENT: Final = "◆"
DOT: Final = "·"


@dataclass(frozen=True, slots=True)
class Look:
    """How to draw on a console: the time zone, and whether times include the day."""

    console: Console
    zone: tzinfo | None
    day: bool

    @property
    def wide(self) -> bool:
        """Whether there is room for what is useful but not needed."""
        return self.console.width >= WIDE

    def clock(self, nanoseconds: int) -> str:
        """A time of day."""
        return units.clock(nanoseconds, self.zone, day=self.day)

    def outcome(self, outcome: str, label: str = "") -> Text:
        """An outcome with its sign, in its colour."""
        sign, style = _OUTCOMES.get(outcome, _OTHER)
        return Text(f"{sign} {label or outcome}", style, no_wrap=True, overflow="ellipsis")

    def exchange(self, exchange: Exchange) -> Text:
        """An exchange's outcome with its error, or with a remark on its AI timeout."""
        text = self.outcome(LOST if exchange.lost else exchange.outcome)
        more = exchange.error_type if exchange.error_type != exchange.outcome else ""
        if exchange.timeouts and not more:
            more = "" if exchange.lost else "silent" if exchange.open else "recovered" if exchange.recovered else ""
        return text.append(f" {DOT} {more}", "default") if more else text


def style(outcome: str) -> str:
    """The colour of an outcome."""
    return _OUTCOMES.get(outcome, _OTHER)[1]


def lines(parts: Iterable[Text], width: int, between: str) -> list[Text]:
    """The parts side by side in lines of so many cells, with `between` between them; a part is never broken."""
    filled: list[Text] = []
    for part in parts:
        if filled and filled[-1].cell_len + cell_len(between) + part.cell_len <= width:
            filled[-1] = filled[-1] + between + part
        else:
            filled.append(Text() + part)
    return filled


def look(console: Console, zone: tzinfo | None, times: Iterable[int]) -> Look:
    """How to draw on a console; times include the day if the given ones (ns since 1970) are of more than one day."""
    days = {units.moment(time, zone).date() for time in times if time}
    return Look(console, zone, day=len(days) > 1)
