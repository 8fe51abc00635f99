"""Values of OTLP JSON: attributes, text, times and ids, none of which raises on bad input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

LATEST: Final = 2**63 - 1

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = "Scalar | tuple[Scalar, ...]"
Json: TypeAlias = "dict[str, object]"


def attributes(records: object) -> dict[str, Value]:
    """Attributes by name; of the same name the last."""
    found: dict[str, Value] = {}
    for record in mappings(records):
        value = _value(record.get("value"))
        key = record.get("key")
        if value is not None and isinstance(key, str):
            found[_clean(key)] = value
    return found


def _value(holder: object) -> Value | None:
    for kind, content in mapping(holder).items():
        if kind == "arrayValue":
            values = (_scalar(value) for value in mappings(mapping(content).get("values")))
            return tuple(value for value in values if value is not None)
    return _scalar(mapping(holder))


def _scalar(holder: Json) -> Scalar | None:
    for kind, content in holder.items():
        reader = _READERS.get(kind)
        if reader is not None:
            return reader(content)
    return None


def text(content: object) -> str:
    """Text that can be shown; empty for anything else."""
    return _clean(content) if isinstance(content, str) else ""


def _string(content: object) -> Scalar | None:
    return _clean(content) if isinstance(content, str) else None


def _boolean(content: object) -> Scalar | None:
    return content if isinstance(content, bool) else None


def integer(content: object) -> int | None:
    """Read a 64-bit number, which JSON carries as text."""
    if isinstance(content, bool) or not isinstance(content, int | str):
        return None
    try:
        return int(content)
    except ValueError:
        return None


def double(content: object) -> float | None:
    """Read a double; NaN and the infinities come as text."""
    if isinstance(content, bool) or not isinstance(content, int | float | str):
        return None
    try:
        return float(content)
    except (ValueError, OverflowError):
        return None


_READERS: Final[dict[str, Callable[[object], Scalar | None]]] = {
    "stringValue": _string,
    "intValue": integer,
    "doubleValue": double,
    "boolValue": _boolean,
}


def instant(content: object) -> int:
    """Nanoseconds since 1970, or 0 for what is no such time."""
    value = integer(content)
    return value if value is not None and 0 < value <= LATEST else 0


def identifier(content: object) -> str:
    """An id in lower case; empty for anything else."""
    return _clean(content).lower() if isinstance(content, str) else ""


def _clean(text: str) -> str:
    """Replace what would move the cursor, colour the terminal or fail to be written."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def mapping(content: object) -> Json:
    """A JSON object; an empty one for anything else."""
    return content if isinstance(content, dict) else {}


def mappings(content: object) -> Iterator[Json]:
    """The members of a JSON array as objects; none for anything else."""
    if isinstance(content, list):
        yield from (mapping(member) for member in content)
