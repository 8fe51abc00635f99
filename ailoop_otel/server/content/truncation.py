"""Truncation of a JSON value to a number of characters: the longest texts are cut, and the result is still JSON."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from ailoop_otel.unpatched import json

ELLIPSIS: Final = "…"
# Texts of up to so many characters are read as JSON, and redacted, in one piece.
WHOLE: Final = 262_144
_DEEPEST: Final = 32
_MOST_NODES: Final = 10_000
_MOST_TEXTS: Final = 8
_LONGEST_KEY: Final = 256
_INTEGER_BITS: Final = 64


class Label(str):
    """A text that is never cut, such as a role or a type: it names what the other texts are."""

    __slots__ = ()


class JsonCopy:
    """Copies any value as JSON, bounded in depth, in the number of nodes and in the length of its texts.

    `characters` counts those of the original's texts, as far as it was read; `cut` is True if something is missing.
    What is neither a collection nor a plain JSON value becomes `str(value)`.
    """

    def __init__(self, longest: int) -> None:
        self.characters = 0
        self.cut = False
        self._longest = longest
        self._room = longest * _MOST_TEXTS
        self._nodes = _MOST_NODES

    def of(self, value: Any, depth: int = 0) -> Any:
        """The copy of a value that is `depth` levels deep."""
        self._nodes -= 1
        if depth > _DEEPEST:
            self.cut = True
            return ELLIPSIS
        if isinstance(value, dict):
            return {_key(key): self.of(each, depth + 1) for key, each in self._some(value.items())}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.of(each, depth + 1) for each in self._some(value)]
        return value if _is_plain(value) else self._text(value)

    def _some(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            if self._nodes <= 0:
                self.cut = True
                return
            yield item

    def _text(self, value: Any) -> str:
        text = value if isinstance(value, str) else str(value)
        self.characters += len(text)
        kept = text[: min(self._longest, self._room)]
        self._room -= len(kept)
        self.cut = self.cut or len(kept) < len(text)
        return without_lone_surrogates(kept)


def without_lone_surrogates(text: str) -> str:
    """The text with each half of a surrogate pair replaced: no exporter can encode these."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def structured(text: str, longest: int) -> Any:
    """The value of a text that is a JSON object or list, as a bounded copy; any other text unchanged."""
    if len(text) > WHOLE or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return JsonCopy(longest).of(json.loads(text))
    except (ValueError, RecursionError):
        return text


def dumped(value: Any) -> str:
    """A value as JSON; characters that are not ASCII stay as they are."""
    return json.dumps(value, ensure_ascii=False)


def overhead(value: Any) -> int:
    """How many characters of a value's JSON cannot be cut: brackets, keys, numbers, labels."""
    return len(dumped(_mapped(value, lambda text: "")))


def fitted(value: Any, limit: int) -> tuple[str, bool]:
    """A value as JSON of at most `limit` characters, its longest texts cut, and whether anything was cut.

    Where cutting texts is not enough, the result is one JSON text: the beginning of the value's JSON.
    """
    whole = dumped(value)
    if len(whole) <= limit:
        return whole, False
    room = limit - overhead(value)
    if room < 0:
        return quoted(whole, limit), True
    sizes: list[int] = []

    def measure(text: str) -> str:
        sizes.append(_size(text))
        return text

    _mapped(value, measure)
    most = _share(sizes, room)
    return dumped(_mapped(value, lambda text: shortened(text, most))), True


def quoted(text: str, limit: int) -> str:
    """The beginning of a text as one JSON text of at most `limit` characters."""
    return dumped(shortened(text, limit - 2))


def shortened(text: str, most: int) -> str:
    """The beginning of a text, at most `most` characters long as JSON, with an ellipsis if it was cut."""
    text, full = text[: most + 1], text
    if len(text) == len(full) and _size(text) <= most:
        return text
    if most < len(ELLIPSIS):
        return ""
    room = most - len(ELLIPSIS)
    kept = bisect_right(range(len(text) + 1), room, key=lambda length: _size(text[:length])) - 1
    return text[:kept] + ELLIPSIS


def _share(sizes: list[int], room: int) -> int:
    # Water-filling: short texts leave the room that they do not need to the long ones.
    left = len(sizes)
    for size in sorted(sizes):
        if size * left > room:
            return room // left
        room -= size
        left -= 1
    return room


def _size(text: str) -> int:
    return len(dumped(text)) - 2


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, Label):
        return value
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    return [_mapped(each, change) for each in value] if isinstance(value, list) else value


def _key(key: Any) -> str:
    return without_lone_surrogates(str(key)[:_LONGEST_KEY])


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return value.bit_length() <= _INTEGER_BITS
    return value is None
