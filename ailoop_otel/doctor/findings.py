"""A finding: one sentence on one thing that was checked. A report: all findings, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ailoop_otel.units import counted
from ailoop_otel.view import theme

# The levels of findings, as they stand in the JSON document.
OK: Final = "ok"
NOTE: Final = "note"
PROBLEM: Final = "trouble"

_SIGNS: Final = {OK: ("✓", theme.GOOD), NOTE: ("●", theme.UNSURE), PROBLEM: ("✗", "bold red")}


@dataclass(frozen=True)
class Finding:
    """The result of one check; `mend` names the remedy and is never empty for a problem; `group` is of those shown."""

    level: str
    subject: str
    sentence: str
    mend: str = ""
    group: str = ""


@dataclass(frozen=True)
class Report:
    """All findings and the environment they are about; `generation` is empty if no AILoop was found."""

    version: str
    python: str
    checkout: str
    generation: str
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> int:
        """The number of findings that are problems."""
        return self._count(PROBLEM)

    def document(self) -> dict[str, object]:
        """The report as a JSON document, for scripts."""
        return {
            "kind": "doctor",
            "version": self.version,
            "python": self.python,
            "checkout": self.checkout,
            "generation": self.generation or None,
            "troubles": self.problems,
            "findings": [asdict(finding) for finding in self.findings],
        }

    def show(self, console: Console) -> None:
        """Print all findings in their groups, then how many are problems."""
        title = f"ailoop-otel {self.version} on Python {self.python}, {self.checkout}"
        console.print(Text(title, theme.HEADING), soft_wrap=True)
        for name, group in groupby(self.findings, key=lambda finding: finding.group):
            console.print()
            console.print(Text(name, theme.HEADING))
            console.print(Padding(_rows(group), (0, 0, 0, 2)))
        console.print()
        problems, notes = self.problems, self._count(NOTE)
        sign, style = _SIGNS[PROBLEM if problems else OK]
        total = counted(problems, "trouble") if problems else "No trouble"
        more = f", {counted(notes, 'note')}" if notes else ""
        console.print(Text(f"{sign} {total}{more}.", style))

    def _count(self, level: str) -> int:
        return sum(finding.level == level for finding in self.findings)


def _rows(findings: Iterable[Finding]) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    # Paths and commands may be longer than a line.
    table.add_column(overflow="fold")
    for finding in findings:
        parts = [Text(finding.subject, theme.HEADING).append(f"  {finding.sentence}", "not bold")]
        if finding.mend:
            parts.append(Text(f"→ {finding.mend}", theme.LIVE))
        table.add_row(Text(*_SIGNS[finding.level]), Group(*parts))
    return table
