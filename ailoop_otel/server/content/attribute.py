"""The text of one span attribute that holds content: redacted by the user's hook, truncated, and its size counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ailoop_otel import names
from ailoop_otel.guard import tried
from ailoop_otel.server.content.truncation import (
    ELLIPSIS,
    WHOLE,
    JsonCopy,
    Label,
    dumped,
    fitted,
    overhead,
    quoted,
    structured,
    without_lone_surrogates,
)

# The user's hook: gets the kind of content and a text, returns the text that may be recorded.
Redact = Callable[[str, str], str]

# A text that is too long to be redacted in one piece loses this many characters at its end: a secret may be cut in two
# there.
MARGIN: Final = 4096
_LONGEST_LABEL: Final = 64
INPUT, OUTPUT, SYSTEM = "input", "output", "system"
TOOL_ARGUMENTS, TOOL_RESULT = "tool_arguments", "tool_result"
_NAMES: Final = {
    INPUT: (names.GEN_AI_INPUT_MESSAGES, names.CONTENT_INPUT_SIZE),
    OUTPUT: (names.GEN_AI_OUTPUT_MESSAGES, names.CONTENT_OUTPUT_SIZE),
    SYSTEM: (names.GEN_AI_SYSTEM_INSTRUCTIONS, names.CONTENT_SYSTEM_SIZE),
    TOOL_ARGUMENTS: (names.GEN_AI_TOOL_ARGUMENTS, names.CONTENT_TOOL_ARGUMENTS_SIZE),
    TOOL_RESULT: (names.GEN_AI_TOOL_RESULT, names.CONTENT_TOOL_RESULT_SIZE),
}


class Withheld(Exception):
    """Content that must not be recorded; the text gives the reason, and nothing of the content."""


class AttributeText:
    """Collects the texts of one attribute: redacts each, bounds it, and counts the characters it had before.

    `kind` is one of the constants above, `limit` the most characters that the attribute may have. `characters` is the
    original size so far; `cut` is True once something is missing.
    """

    def __init__(self, kind: str, limit: int, redact: Redact | None) -> None:
        self.kind = kind
        self.limit = limit
        self.characters = 0
        self.cut = False
        self._redact = redact

    def text(self, text: str) -> str:
        """A plain text as it may be recorded: no longer than the whole attribute. Raises `Withheld`."""
        self.characters += len(text)
        if self._redact is None:
            text = text[: self.limit + 1]
        redacted = self._redacted(text)
        self.cut = self.cut or len(redacted) > self.limit
        return redacted[: self.limit + 1]

    def label(self, value: Any) -> Label:
        """A role, a name or an id as it may be recorded; empty for what is no text. Raises `Withheld`."""
        return Label(self._redacted(value)[:_LONGEST_LABEL]) if isinstance(value, str) and value else Label("")

    def value(self, value: Any) -> Any:
        """A value that may be JSON, as it may be recorded; the hook sees the whole JSON. Raises `Withheld`."""
        if isinstance(value, str):
            self.characters += len(value)
            text = value
        else:
            copy = JsonCopy(WHOLE if self._redact is not None else self.limit + 1)
            text = dumped(copy.of(value))
            self.characters += copy.characters
            self.cut = self.cut or copy.cut
        redacted = self._redacted(text)
        found = structured(redacted, self.limit + 1)
        if not isinstance(found, str) and overhead(found) > self.limit // 2:
            # More brackets than text: the beginning of the JSON is more useful than its empty shape.
            found = redacted
        if isinstance(found, str):
            self.cut = self.cut or len(found) > self.limit
            return found[: self.limit + 1]
        return found

    def attributes(self, value: Any) -> dict[str, Any]:
        """The span attribute that holds `value`, and the one with the original size if something was cut."""
        if isinstance(value, str):
            text, cut = value, len(value) > self.limit
            if cut and value.lstrip().startswith(("{", "[")):
                text = quoted(value, self.limit)
            elif cut:
                text = value[: self.limit - len(ELLIPSIS)] + ELLIPSIS
        else:
            text, cut = fitted(value, self.limit)
        name, size = _NAMES[self.kind]
        return {name: text, size: self.characters} if cut or self.cut else {name: text}

    def _redacted(self, text: str) -> str:
        shorter = without_lone_surrogates(text[:WHOLE])
        whole = len(text) <= WHOLE
        self.cut = self.cut or not whole
        if self._redact is None:
            return shorter
        redacted, fault = tried(self._redact, self.kind, shorter)
        if isinstance(fault, Withheld):
            raise fault
        if not isinstance(redacted, str):
            reason = f"raised {type(fault).__name__}" if fault is not None else "returned no text"
            raise Withheld(f"{names.SETTING_REDACT.name} {reason}")
        if whole:
            return without_lone_surrogates(redacted)
        return without_lone_surrogates(redacted[:-MARGIN]) + ELLIPSIS
