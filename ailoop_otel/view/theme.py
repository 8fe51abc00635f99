"""The look of a terminal: its colours and signs. Every sign has a plain form for encodings that lack it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ailoop_otel.view import units
from ailoop_otel.view.exchanges import LOST, Exchange
from ailoop_otel.view.options import OPEN

WIDE: Final = 120
HEADING: Final = "bold"
QUIET: Final = "dim"
BAD: Final = "red"
GOOD: Final = "green"
UNSURE: Final = "yellow"
LIVE: Final = "cyan"

_OUTCOMES: Final = {
    "ok": ("✓", "+", GOOD),
    "ai_timeout": ("◷", "!", "bold red"),
    "ai_error": ("✗", "x", BAD),
    "server_error": ("✗", "x", BAD),
    "protocol_error": ("✗", "x", "magenta"),
    "no_answer": ("∅", "0", BAD),
    "cut": ("╌", "~", UNSURE),
    "cancelled": ("⊘", "-", UNSURE),
    "disconnected": ("⇥", ">", UNSURE),
    OPEN: ("◌", "?", LIVE),
    LOST: ("⊘", "-", BAD),
    "recovered": ("✓", "+", GOOD),
}
_OTHER: Final = ("✗", "x", BAD)


@dataclass(frozen=True, slots=True)
class Signs:
    """The signs of tables and waterfalls."""

    wait: str = "─"
    stream: str = "━"
    left: str = "╺"
    right: str = "╸"
    branch: str = "├─ "
    last: str = "└─ "
    trunk: str = "│  "
    on: str = "●"
    off: str = "○"
    again: str = "↻"
    error: str = "✗"
    event: str = "◆"
    dot: str = "·"
    plain: bool = False


PLAIN: Final = Signs(
    "-", "=", "=", "=", "|- ", "`- ", "|  ", "*", "o", "resumed", "x", "*", "-", plain=True
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """How to draw on a console: its signs, the time zone, and whether times include the day."""

    console: Console
    signs: Signs
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
        sign, plain, style = _OUTCOMES.get(outcome, _OTHER)
        text = f"{plain if self.signs.plain else sign} {label or outcome}"
        return Text(text, style, no_wrap=True, overflow="ellipsis")

    def exchange(self, exchange: Exchange) -> Text:
        """An exchange's outcome with its error, or with a remark on its AI timeout."""
        text = self.outcome(LOST if exchange.lost else exchange.outcome)
        more = exchange.error_type if exchange.error_type != exchange.outcome else ""
        if exchange.timeouts and not more:
            more = "" if exchange.lost else "silent" if exchange.open else "recovered" if exchange.recovered else ""
        return text.append(f" {self.signs.dot} {more}", "default") if more else text


def style(outcome: str) -> str:
    """The colour of an outcome."""
    return _OUTCOMES.get(outcome, _OTHER)[2]


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
    return Look(console, PLAIN if console.options.ascii_only else Signs(), zone, day=len(days) > 1)
