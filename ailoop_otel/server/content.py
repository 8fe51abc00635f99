"""What is said and done, told only where it was asked for: redacted, cut to size, and never at the server's expense."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from opentelemetry.trace import Span

from ailoop_otel import names
from ailoop_otel.guard import Guard, tried, warn
from ailoop_otel.server.conversation import Answer, instructions, parts, told
from ailoop_otel.server.cutting import (
    ELLIPSIS,
    WHOLE,
    Copy,
    clean,
    dumped,
    fitted,
    frame,
    quoted,
    structured,
)
from ailoop_otel.server.desk import Desk, Withheld
from ailoop_otel.settings import Settings

Redact = Callable[[str, str], str]

# A text that is too long to be redacted in one piece loses this much of its end: a secret may be cut in two there.
MARGIN: Final = 4096
INPUT, OUTPUT, SYSTEM = "input", "output", "system"
TOOL_ARGUMENTS, TOOL_RESULT = "tool_arguments", "tool_result"
_NAMES: Final = {
    INPUT: (names.GEN_AI_INPUT_MESSAGES, names.CONTENT_INPUT_SIZE),
    OUTPUT: (names.GEN_AI_OUTPUT_MESSAGES, names.CONTENT_OUTPUT_SIZE),
    SYSTEM: (names.GEN_AI_SYSTEM_INSTRUCTIONS, names.CONTENT_SYSTEM_SIZE),
    TOOL_ARGUMENTS: (names.GEN_AI_TOOL_ARGUMENTS, names.CONTENT_TOOL_ARGUMENTS_SIZE),
    TOOL_RESULT: (names.GEN_AI_TOOL_RESULT, names.CONTENT_TOOL_RESULT_SIZE),
}


class Page:
    """One attribute's texts: redacted, bounded, and counted as they were."""

    def __init__(self, kind: str, limit: int, redact: Redact | None) -> None:
        self.kind = kind
        self.limit = limit
        self.characters = 0
        self.cut = False
        self._redact = redact

    def text(self, text: str) -> str:
        """Of plain text: no longer than the whole attribute may be."""
        self.characters += len(text)
        if self._redact is None:
            text = text[: self.limit + 1]
        redacted = self._redacted(text)
        self.cut = self.cut or len(redacted) > self.limit
        return redacted[: self.limit + 1]

    def value(self, value: Any) -> Any:
        """Of what may be JSON: the hook sees the JSON, keys and all."""
        if isinstance(value, str):
            self.characters += len(value)
            text = value
        else:
            copy = Copy(WHOLE if self._redact is not None else self.limit + 1)
            text = dumped(copy.of(value))
            self.characters += copy.characters
            self.cut = self.cut or copy.cut
        redacted = self._redacted(text)
        found = structured(redacted, self.limit + 1)
        if not isinstance(found, str) and frame(found) > self.limit // 2:
            # More brackets than texts: its beginning says more than nothing.
            found = redacted
        if isinstance(found, str):
            self.cut = self.cut or len(found) > self.limit
            return found[: self.limit + 1]
        return found

    def attributes(self, value: Any) -> dict[str, Any]:
        """The attribute, and its original size where it was cut."""
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
        shorter = clean(text[:WHOLE])
        whole = len(text) <= WHOLE
        self.cut = self.cut or not whole
        if self._redact is None:
            return shorter
        redacted, fault = tried(self._redact, self.kind, shorter)
        if not isinstance(redacted, str):
            what = f"raised {type(fault).__name__}" if fault is not None else "returned no text"
            raise Withheld(f"{names.SETTING_REDACT.name} {what}")
        return clean(redacted) if whole else clean(redacted[:-MARGIN]) + ELLIPSIS


class ModelContent:
    """What is said in one call of a model."""

    __slots__ = ("answer", "finish_reason", "messages")

    def __init__(self, messages: tuple[Any, ...]) -> None:
        self.messages = messages
        self.answer = Answer()
        self.finish_reason: str | None = None


class Content:
    """Content capture, switched on: makes the attributes and finishes the spans that have them."""

    def __init__(self, limit: int, redact: Redact | None, guard: Guard) -> None:
        self._limit = limit
        self._redact = redact
        self.desk = Desk(guard)

    def end_model(self, span: Span, end: int, said: ModelContent) -> None:
        """End a model call's span, with its content as soon as that is ready."""
        self.desk.end(span, end, partial(self.of_model, said))

    def end_tool(self, span: Span, end: int, arguments: Any, result: Any) -> None:
        """End a tool call's span, with its content as soon as that is ready."""
        self.desk.end(span, end, partial(self.of_tool, arguments, result))

    def model(self, payload: Any) -> ModelContent | None:
        """To be filled while a model is called. Of the payload the messages only: it may hold the key."""
        messages = payload.get("messages") if isinstance(payload, dict) else None
        return ModelContent(tuple(messages)) if isinstance(messages, list) else None

    def of_model(self, said: ModelContent) -> dict[str, Any]:
        """The attributes of a model call."""
        count = instructions(said.messages)
        attributes: dict[str, Any] = {}
        if count:
            page = self._page(SYSTEM)
            attributes |= page.attributes([part for each in said.messages[:count] for part in parts(each, page)])
        page = self._page(INPUT)
        attributes |= page.attributes(_latest(said.messages[count:], page))
        page = self._page(OUTPUT)
        if answer := said.answer.told(said.finish_reason, page):
            page.characters += said.answer.missing()
            attributes |= page.attributes(answer)
        return attributes

    def of_tool(self, arguments: Any, result: Any) -> dict[str, Any]:
        """The attributes of a tool call; a result of None is none."""
        page = self._page(TOOL_ARGUMENTS)
        attributes = page.attributes(page.value(arguments)) if arguments is not None else {}
        page = self._page(TOOL_RESULT)
        return attributes if result is None else attributes | page.attributes(page.value(result))

    def _page(self, kind: str) -> Page:
        return Page(kind, self._limit, self._redact)


def capture(settings: Settings, guard: Guard) -> Content | None:
    """Content capture as the settings have it; None where it is off or its hook is not to be had."""
    if not settings.content:
        return None
    if not settings.redact:
        return Content(settings.content_limit, None, guard)
    redact, fault = tried(_imported, settings.redact)
    if redact is None:
        what = type(fault).__name__ if fault is not None else "it is no function"
        warn(f"{names.SETTING_REDACT.name}={settings.redact!r} can't be used ({what}); no content is captured.")
        return None
    return Content(settings.content_limit, redact, guard)


def _imported(path: str) -> Redact | None:
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found if callable(found) else None


def _latest(messages: tuple[Any, ...], page: Page) -> list[dict[str, Any]]:
    # From the newest back: a long history's beginning is what can be missed most easily.
    room = page.limit - len("[]")
    kept: list[dict[str, Any]] = []
    for position in range(len(messages) - 1, -1, -1):
        message = told(messages[position], page)
        room -= frame(message) + len(", ")
        if room < 0:
            page.cut = True
            page.characters += sum(_length(each) for each in messages[:position])
            break
        kept.append(message)
    return kept[::-1]


def _length(message: Any) -> int:
    content = message.get("content") if isinstance(message, dict) else None
    return len(content) if isinstance(content, str) else 0
