"""The consoles that commands print on: what telemetry, files and servers say is text there, and nothing else."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterable
from io import StringIO
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

# What stands for a character that an encoding lacks; as wide as that.
_REPLACEMENTS: Final = dict(zip("–…−µ✓✗─•━╺╸├└│●○↻◆·◷∅╌⊘⇥◌→", "-~-u+x-*===|`|*o~*-!0~->?>", strict=True))
_ASCII: Final = str.maketrans(_REPLACEMENTS | {"∞": "inf", "±": "+-", "≤": "<=", "≥": ">="})
# Characters that move the cursor or colour the terminal, and those that change the direction of the text after them:
# https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
_COMMANDS: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)  # fmt: skip


class Terminal(Console):
    """A console that reads no markup and no emoji codes in texts, and prints no control characters of theirs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render without control characters; every text passes here, that of tables and of tracebacks too."""
        for segment in super().render(renderable, options):
            plain = segment.control or segment.text.isprintable()
            yield segment if plain else Segment(printable(segment.text), segment.style)


def terminal() -> Terminal:
    """A console on the standard output; characters that its encoding lacks become plain ones."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="plain")
    return Terminal()


def in_ascii(part: RenderableType, width: int) -> Text:
    """What is printed, in ASCII and without colours; a number's column keeps its width."""
    drawing = Terminal(file=StringIO(), width=width, color_system=None)
    with drawing.capture() as captured:
        drawing.print(part)
    text = captured.get().rstrip("\n").replace("  ∞", "inf").translate(_ASCII)
    return Text(text.encode("ascii", "replace").decode(), no_wrap=True, overflow="ignore")


def printable(text: str) -> str:
    """Remove what is a command to a terminal; line breaks stay."""
    return _COMMANDS.sub("", text)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Replace each character that an encoding lacks by one plain one, so that columns stay aligned."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_REPLACEMENTS.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


codecs.register_error("plain", _replace)
