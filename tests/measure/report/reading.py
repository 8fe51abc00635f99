"""Reads a report: its tables and texts, as a browser or GitHub shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from markdown_it import MarkdownIt

# The factor of each unit that a report may print; deliberately not taken from the code under test.
FACTORS = {
    "s": 1.0, "ms": 1e-3, "µs": 1e-6, "GB": 1e9, "MB": 1e6, "kB": 1e3, "B": 1.0, "MB/s": 1e6, "kB/s": 1e3, "B/s": 1.0,
    "MB/session": 1e6, "kB/session": 1e3, "B/session": 1.0, "messages/s": 1.0, "per 1,000": 1.0, "sessions": 1.0,
    "turns": 1.0, "%": 0.01, "tokens": 1.0, "USD": 1.0,
}  # fmt: skip


@dataclass
class Page(HTMLParser):
    """A page's tables as rows of cells, its elements with their attributes, and its text."""

    tables: list[list[list[str]]] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""
    _cell: bool = False
    _silent: bool = False

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add an element."""
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._cell = True
        self._silent = self._silent or tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        """Close a cell, the styles or a script."""
        self._cell = self._cell and tag not in ("td", "th")
        self._silent = self._silent and tag not in ("style", "script")

    def handle_data(self, data: str) -> None:
        """Add text, unless it is a style or a script."""
        if not self._silent:
            self.text += data
            if self._cell:
                self.tables[-1][-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a tag name."""
        return [attributes for name, attributes in self.elements if name == tag]


def page(html: str) -> Page:
    """Read a page."""
    found = Page()
    found.feed(html)
    found.close()
    return found


def rendered(markdown: str) -> str:
    """Markdown as HTML, with the tables of GitHub Flavored Markdown."""
    html: str = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)
    return html


def value(shown: str, unit: str) -> float:
    """The number that a person reads, in the base unit."""
    number = shown.replace(",", "").replace("−", "-").replace("∞", "inf").replace("–", "nan")
    return float(number) * FACTORS[unit]
