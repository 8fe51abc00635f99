"""The verb `replay`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer import Typer


def register(app: "Typer") -> None:
    """Add the verb to the program; it imports what it needs when it runs."""
