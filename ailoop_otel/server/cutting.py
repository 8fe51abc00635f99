"""Making a value fit: its longest texts are cut, and what is left is still JSON."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

ELLIPSIS: Final = "…"
# Texts up to this length are read as JSON, and redacted, in one piece, characters.
WHOLE: Final = 262_144
_DEEPEST: Final = 32
_MOST_NODES: Final = 10_000
_MOST_TEXTS: Final = 8
_LONGEST_KEY: Final = 256
_INTEGER_BITS: Final = 64


class Label(str):
    """A text that is never cut: it says what kind of thing the others are."""

    __slots__ = ()


class Copy:
    """Copies a value as JSON knows it, bounded in depth, in nodes and in its texts.

    `characters` counts those of the original's texts, as far as it was read; `cut` tells whether something is missing.
    """

    def __init__(self, longest: int) -> None:
        self.characters = 0
        self.cut = False
        self._longest = longest
        self._room = longest * _MOST_TEXTS
        self._nodes = _MOST_NODES

    def of(self, value: Any, depth: int = 0) -> Any:
        """The copy."""
        self._nodes -= 1
        if depth > _DEEPEST:
            self.cut = True
            return ELLIPSIS
        if isinstance(value, dict):
            return {clean(str(key)[:_LONGEST_KEY]): self.of(each, depth + 1) for key, each in self._some(value.items())}
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
        return clean(kept)


def clean(text: str) -> str:
    """The text without halves of surrogate pairs, which no exporter can encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def structured(text: str, longest: int) -> Any:
    """What a text says that is a JSON object or list, as a bounded copy; any other text as it is."""
    if len(text) > WHOLE or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return Copy(longest).of(json.loads(text))
    except (ValueError, RecursionError):
        return text


def dumped(value: Any) -> str:
    """A value as JSON; its characters stay as they are."""
    return json.dumps(value, ensure_ascii=False)


def frame(value: Any) -> int:
    """The length of a value's JSON without the texts that may be cut."""
    return len(dumped(_mapped(value, lambda text: "")))


def fitted(value: Any, limit: int) -> tuple[str, bool]:
    """A value as JSON of at most `limit` characters, the longest texts cut, and whether anything was.

    What has no texts to cut becomes one JSON text: the beginning of its JSON.
    """
    whole = dumped(value)
    if len(whole) <= limit:
        return whole, False
    room = limit - frame(value)
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
    """The beginning of a text, at most so many characters long as JSON, with a mark where it was cut."""
    text, full = text[: most + 1], text
    if len(text) == len(full) and _size(text) <= most:
        return text
    if most < len(ELLIPSIS):
        return ""
    room = most - len(ELLIPSIS)
    kept = bisect_right(range(len(text) + 1), room, key=lambda length: _size(text[:length])) - 1
    return text[:kept] + ELLIPSIS


def _share(sizes: list[int], room: int) -> int:
    # The short ones leave what they do not need to the long ones.
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


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return value.bit_length() <= _INTEGER_BITS
    return value is None
