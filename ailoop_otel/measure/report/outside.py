"""Text that comes from a server, a client or a file: made fit to be shown, whoever wrote it.

Each format escapes for itself; here goes what no format should show: control signs, which move a terminal's cursor,
and signs that turn the direction of writing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

LONGEST: Final = 300
# Format signs that turn the direction of what follows (Unicode TR 9).
_TURNING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(value: object, longest: int = LONGEST) -> str:
    """One line of visible text, at most so many signs of it."""
    text = str(value)
    shown = "".join(_visible(sign) for sign in text[: longest + 1])
    return shown if len(text) <= longest else f"{shown[: longest - 1]}…"


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Name and value of each entry of nested settings, as text: `load.rate`, `5`."""
    for name, value in settings.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{path}.")
        else:
            yield plain(path), plain(_written(value))


def _visible(sign: str) -> str:
    if sign in _TURNING:
        return ""
    return " " if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") else sign


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_written(each) for each in value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value in (None, "", {}) else str(value)
