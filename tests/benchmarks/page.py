"""docs/performance.md: what stands between its marks is written by the last full run."""

from __future__ import annotations

from pathlib import Path

BEGIN = "<!-- make bench writes from here -->"
END = "<!-- to here -->"


def fill(page: Path, text: str) -> None:
    """Put the text between the marks; raises ValueError where there are none."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no marks {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}")
