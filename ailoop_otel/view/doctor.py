"""What the doctor found, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ailoop_otel.view import theme, units

# A sign, its plain form, and its colour.
_LEVELS: Final = {
    "ok": ("✓", "+", theme.GOOD),
    "note": ("●", "!", theme.UNSURE),
    "trouble": ("✗", "x", "bold red"),
}
_ARROW: Final = ("→", "->")


class Found(Protocol):
    """One thing that was looked at."""

    @property
    def group(self) -> str:
        """Where it belongs."""

    @property
    def level(self) -> str:
        """`ok`, `note` or `trouble`."""

    @property
    def subject(self) -> str:
        """What was looked at."""

    @property
    def sentence(self) -> str:
        """What was found."""

    @property
    def mend(self) -> str:
        """What to do."""


def show(title: str, findings: Sequence[Found], console: Console) -> None:
    """Print all findings in their groups, and how many are trouble."""
    plain = console.options.ascii_only
    console.print(Text(title, theme.HEADING), soft_wrap=True)
    for name, group in groupby(findings, key=lambda finding: finding.group):
        console.print()
        console.print(Text(name, theme.HEADING))
        console.print(Padding(_rows(group, plain=plain), (0, 0, 0, 2)))
    console.print()
    console.print(_sum(findings, plain=plain))


def _rows(findings: Iterable[Found], *, plain: bool) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    # A path or a command may be longer than a line.
    table.add_column(overflow="fold")
    for finding in findings:
        sign, bare, style = _LEVELS[finding.level]
        told: list[RenderableType] = [Text(finding.subject, theme.HEADING).append(f"  {finding.sentence}", "not bold")]
        if finding.mend:
            told.append(Text(f"{_ARROW[plain]} {finding.mend}", theme.LIVE))
        table.add_row(Text(bare if plain else sign, style), Group(*told))
    return table


def _sum(findings: Sequence[Found], *, plain: bool) -> Text:
    notes, troubles = (sum(finding.level == level for finding in findings) for level in ("note", "trouble"))
    sign, bare, style = _LEVELS["trouble" if troubles else "ok"]
    told = units.counted(troubles, "trouble") if troubles else "No trouble"
    more = f", {units.counted(notes, 'note')}" if notes else ""
    return Text(f"{bare if plain else sign} {told}{more}.", style)
