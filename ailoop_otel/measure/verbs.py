"""The verbs of the measuring kit: measure, compare, report."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer import Typer


def register(app: "Typer") -> None:
    """Add the verbs to the program; each imports what it needs when it runs."""
