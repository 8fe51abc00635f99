"""Columns of tables that are there where they have something to show, and where there is room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from ailoop_otel.view import units
from ailoop_otel.view.theme import Look
from ailoop_otel.view.usage import Usage


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is there where it has something to show, and room."""

    title: str
    cells: Sequence[str]

    @property
    def width(self) -> int:
        """Cells that it needs."""
        return max(map(cell_len, (self.title, *self.cells)))


def used_columns(rows: Sequence[Usage]) -> list[Column]:
    """The columns of what was used, the most asked for first; one without any value is left out."""
    columns = (
        Column("In/out", [row.tokens for row in rows]),
        Column("Cost", [row.price for row in rows]),
        Column("Cached", ["" if row.cached is None else units.count(row.cached) for row in rows]),
        Column("Reasoning", ["" if row.reasoning is None else units.count(row.reasoning) for row in rows]),
    )
    return [Column(each.title, [cell or units.NOTHING for cell in each.cells]) for each in columns if any(each.cells)]


def that_fit(groups: Iterable[Sequence[Column]], room: int, look: Look) -> tuple[list[Column], int]:
    """The columns of the groups that there is room for, one group after the other, and how many cells are left."""
    chosen: list[Column] = []
    for group in groups:
        needed = sum(column.width + (3 if look.wide else 1) for column in group)
        if needed <= room:
            room -= needed
            chosen += group
    return chosen, room
