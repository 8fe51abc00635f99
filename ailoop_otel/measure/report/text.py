"""Untrusted text (from a server, a client or a file), made safe to show in any format.

Each format escapes its own special characters. This removes what no format should show: control characters, which move
a terminal's cursor, and characters that change the direction of writing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

LONGEST: Final = 300
LONGEST_SENTENCE: Final = 2000
# A part of a sentence that stands between backticks is code.
CODE: Final = re.compile(r"`([^`]+)`")
# Formatting characters that change the direction of the following text: Unicode standard annex 9, section 2,
# https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
_DIRECTIONAL: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(value: object, longest: int = LONGEST) -> str:
    """Convert a value to one line of visible text of at most `longest` characters; a cut is marked by `…`."""
    text = str(value)
    shown = "".join(_visible(character) for character in text[: longest + 1])
    return shown if len(text) <= longest else f"{shown[: longest - 1]}…"


def sentence(text: str) -> str:
    """Convert a note to a sentence: with a capital letter and a full stop."""
    shown = plain(text, LONGEST_SENTENCE).strip()
    return f"{shown[:1].upper()}{shown[1:]}{'' if shown.endswith(('.', '!', '?')) else '.'}" if shown else ""


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Name and value of each entry of nested settings, as text: `load.rate`, `5`."""
    for name, value in settings.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{path}.")
        else:
            yield plain(path), plain(_as_text(value))


def _visible(character: str) -> str:
    if character in _DIRECTIONAL:
        return ""
    return " " if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") else character


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_as_text(each) for each in value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value in (None, "", {}) else str(value)
