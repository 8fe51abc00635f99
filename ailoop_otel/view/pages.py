"""The consoles of a command that may also write what it shows as a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME

from ailoop_otel.settings import UsageError
from ailoop_otel.terminal import terminal

_WIDTH: Final = 140
# Rich's picture takes its font from a server; a file to send to others takes that of its reader.
_FONT: Final = re.compile(r"@font-face \{.*?\}", re.DOTALL)
_TITLE: Final = "ailoop-otel"


@contextmanager
def page(html: str, svg: str) -> Iterator[Console]:
    """A console on the standard output; what was shown is written to the files that are named, without it.

    Raises UsageError for a file that cannot be written.
    """
    if not html and not svg:
        yield terminal()
        return
    console = terminal()
    console.record = True
    if not console.is_terminal:
        console.width = _WIDTH
    yield console
    if html:
        _write(html, console.export_html(theme=DEFAULT_TERMINAL_THEME, clear=False, inline_styles=True))
    if svg:
        _write(svg, _FONT.sub("", console.export_svg(title=_TITLE, theme=SVG_EXPORT_THEME, clear=False)))


def _write(name: str, content: str) -> None:
    try:
        Path(name).write_text(content, encoding="utf-8", errors="replace")
    except OSError as fault:
        raise UsageError(f"{name} cannot be written: {fault.strerror}") from None
