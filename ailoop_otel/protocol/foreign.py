"""Readers of values that somebody else chose: clients, providers, servers of tools, configuration.

Each returns a value that may be recorded and that every exporter can write, or None. None of them raises.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

_HARMLESS: Final = re.compile(r"[\w.:/-]{1,64}", re.ASCII)
_LONGEST: Final = 64
_TOO_LONG: Final = 10**_LONGEST
# The largest integer that JSON's readers agree on: https://www.rfc-editor.org/rfc/rfc8259#section-6
_MOST: Final = 2**53
_HTTP_ERRORS: Final = range(400, 600)
_Number = TypeVar("_Number", bound=float)


def harmless(value: object) -> str | None:
    """An identifier, as text: it may become an attribute, and a label where its values are known to be few."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    if isinstance(value, int) and abs(value) >= _TOO_LONG:  # `str` raises for one of more than 4,300 digits
        return None
    written = str(value)
    return written if _HARMLESS.fullmatch(written) else None


def identifier(value: object) -> str | None:
    """A session's id: the server's own are UUIDs."""
    return value if isinstance(value, str) and _HARMLESS.fullmatch(value) else None


def display_name(value: object) -> str | None:
    """A name that is shown, of 64 characters at most, all printable: half a surrogate pair is not."""
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable() else None


def text(value: object) -> str | None:
    """A text that is not empty, of any length and characters: to be read, not to be recorded."""
    return value if isinstance(value, str) and value else None


def count(value: object) -> int | None:
    """A number of things."""
    return _number(value) if isinstance(value, int) else None


def amount(value: object) -> float | None:
    """A number that is finite, not negative and not beyond 2^53."""
    found = _number(value) if isinstance(value, (int, float)) else None
    return None if found is None else float(found)


def number(value: object) -> float | None:
    """A number that is finite and not beyond 2^53, negative or not."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_MOST <= value <= _MOST:
        return None
    return float(value)


def http_error(value: object) -> str | None:
    """The status of an HTTP error, as an `error.type`."""
    return str(value) if isinstance(value, int) and value in _HTTP_ERRORS else None


def _number(value: _Number) -> _Number | None:
    # Not a number is neither below nor above anything.
    return value if not isinstance(value, bool) and 0 <= value <= _MOST else None
