"""The directives by which a chat message tells the scripted provider how to answer it.

    [[VERB key=value key=value]]

Values are JSON (a string in quotes, an object, a list, a number) or one bare word. A message may hold any
words around its directives; the first directive answers the message, the second answers the request that
follows the tool results, and so on. `[[next VERB ...]]` is for the *next* message of the session: from the
second turn on the earlier generation of AILoop sends the provider only the turns before, so this is how a
session of several turns is scripted there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_JSON = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive as written: its verb, its settings, and whether it is for the next message."""

    verb: str
    settings: dict[str, Any]
    for_next: bool = False


def find_directives(text: str) -> Iterator[Directive]:
    """Yield the directives of a message in their order; a malformed one raises ValueError."""
    start = text.find("[[")
    while start >= 0:
        words, end = _words(text, start + 2)
        for_next = bool(words) and words[0] == ("next", None)
        words = words[1:] if for_next else words
        if not words or words[0][1] is not None:
            raise ValueError(f"a directive starts with a verb: {text[start:end]}")
        (verb, _), *pairs = words
        yield Directive(verb, {key: True if value is None else value for key, value in pairs}, for_next)
        start = text.find("[[", end)


def parse_directive(text: str) -> Directive:
    """Read one directive, with its brackets or without."""
    (directive,) = find_directives(text if text.lstrip().startswith("[[") else f"[[{text}]]")
    return directive


def _words(text: str, at: int) -> tuple[list[tuple[str, Any]], int]:
    """Read `word` and `key=value` up to the closing brackets, and where they end."""
    words: list[tuple[str, Any]] = []
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at >= len(text):
            raise ValueError(f"a directive that never closes: {text}")
        if text.startswith("]]", at):
            return words, at + 2
        key, at = _bare(text, at, stops="=")
        value: Any = None
        if text.startswith("=", at):
            value, at = _value(text, at + 1)
        words.append((key, value))


def _value(text: str, at: int) -> tuple[Any, int]:
    if text[at : at + 1] in ('"', "{", "["):
        return _JSON.raw_decode(text, at)
    word, at = _bare(text, at)
    try:
        return json.loads(word), at
    except ValueError:
        return word, at


def _bare(text: str, at: int, stops: str = "") -> tuple[str, int]:
    end = at
    while end < len(text) and not (text[end].isspace() or text[end] in stops or text.startswith("]]", end)):
        end += 1
    if end == at:
        raise ValueError(f"a directive with a gap at {at}: {text}")
    return text[at:end], end
