"""Prints the findings of `ailoop-otel doctor`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM, Finding
from ailoop_otel.view import theme, units

# For each level: a sign, its plain form, and its colour.
_LEVELS: Final = {
    OK: ("✓", "+", theme.GOOD),
    NOTE: ("●", "!", theme.UNSURE),
    PROBLEM: ("✗", "x", "bold red"),
}
_ARROW: Final = ("→", "->")


def show(title: str, findings: Sequence[Finding], console: Console) -> None:
    """Print all findings in their groups, then how many are problems."""
    plain = console.options.ascii_only
    console.print(Text(title, theme.HEADING), soft_wrap=True)
    for name, group in groupby(findings, key=lambda finding: finding.group):
        console.print()
        console.print(Text(name, theme.HEADING))
        console.print(Padding(_rows(group, plain=plain), (0, 0, 0, 2)))
    console.print()
    console.print(_summary(findings, plain=plain))


def _rows(findings: Iterable[Finding], *, plain: bool) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    # Paths and commands may be longer than a line.
    table.add_column(overflow="fold")
    for finding in findings:
        sign, bare, style = _LEVELS[finding.level]
        parts: list[RenderableType] = [Text(finding.subject, theme.HEADING).append(f"  {finding.sentence}", "not bold")]
        if finding.mend:
            parts.append(Text(f"{_ARROW[plain]} {finding.mend}", theme.LIVE))
        table.add_row(Text(bare if plain else sign, style), Group(*parts))
    return table


def _summary(findings: Sequence[Finding], *, plain: bool) -> Text:
    notes, problems = (sum(finding.level == level for finding in findings) for level in (NOTE, PROBLEM))
    sign, bare, style = _LEVELS[PROBLEM if problems else OK]
    total = units.counted(problems, "trouble") if problems else "No trouble"
    more = f", {units.counted(notes, 'note')}" if notes else ""
    return Text(f"{bare if plain else sign} {total}{more}.", style)
