"""What telemetry, files and servers say is printed as text."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rich.table import Table
from rich.text import Text

from ailoop_otel.terminal import Terminal, printable

COMMANDS = "\x1b[31m\x1b]0;title\x07\r\x9b2J\u202e\u2028"


def _printed(what: object, width: int = 60) -> str:
    stream = io.StringIO()
    Terminal(file=stream, width=width, legacy_windows=False, _environ={}).print(what)
    return stream.getvalue()


@pytest.mark.parametrize("text", ["[/]", "[red]x[/red]", "[/not open]", ":smile:", "[link=https://x]y[/link]"])
def test_markup_and_emoji_codes_are_text(text: str) -> None:
    """In a line, in a cell of a table and in its heading."""
    table = Table(text)
    table.add_row(text)
    assert text in _printed(text)
    assert _printed(table).count(text) == 2


def test_commands_to_a_terminal_are_not_printed() -> None:
    """What moves the cursor, colours, titles or turns the direction around; the columns stay where they are."""
    table = Table()
    table.add_row(f"a{COMMANDS}b", Text(f"c{COMMANDS}d"))
    assert _printed(f"one{COMMANDS}two") == "one[31m]0;title2Jtwo\n"
    lines = _printed(table).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert all(printable(line) == line for line in lines)


@given(some.text(max_size=80))
def test_any_text_can_be_printed(text: str) -> None:
    """Whatever its characters are."""
    assert printable(_printed(text)) == _printed(text)


def test_own_colours_are_printed() -> None:
    """They come from styles and not from texts."""
    stream = io.StringIO()
    Terminal(file=stream, width=60, force_terminal=True, color_system="standard", _environ={}).print(Text("x", "red"))
    assert stream.getvalue() == "\x1b[31mx\x1b[0m\n"
