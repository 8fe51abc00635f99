"""Content capture: makes the attributes that hold what users and models wrote, and finishes the spans that get them."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from opentelemetry.trace import Span

from ailoop_otel import names
from ailoop_otel.guard import Guard, tried, warn
from ailoop_otel.recording.spans import Spans
from ailoop_otel.recording.telemetry import Attributes
from ailoop_otel.server.content.attribute import (
    INPUT,
    OUTPUT,
    SYSTEM,
    TOOL_ARGUMENTS,
    TOOL_RESULT,
    AttributeText,
    Redact,
)
from ailoop_otel.server.content.finishing import EndSpan, Redaction, SpanFinisher
from ailoop_otel.server.content.messages import ModelOutput, as_message, parts, system_messages
from ailoop_otel.server.content.truncation import overhead
from ailoop_otel.settings import Settings


class ModelContent:
    """The content of one model call: the messages sent, and the output as it comes."""

    __slots__ = ("messages", "output")

    def __init__(self, messages: tuple[Any, ...]) -> None:
        self.messages = messages
        self.output = ModelOutput()


class ContentCapture:
    """Makes content attributes of at most `limit` characters each, and ends the spans that have them."""

    def __init__(self, limit: int, redact: Redact | None, guard: Guard, end_span: EndSpan = Spans.end) -> None:
        self._limit = limit
        self._redact = None if redact is None else Redaction(redact, guard)
        self.finisher = SpanFinisher(guard, self._redact, end_span)

    def end_model(self, span: Span, end: int, content: ModelContent, error: bool) -> None:
        """End a model call's span, with its content as soon as that is ready."""
        self.finisher.end(span, end, partial(self.of_model, content), error=error)

    def end_tool(self, span: Span, end: int, content: tuple[Any, Any], known: Attributes, error: bool) -> None:
        """End a tool call's span, with its arguments and result, its `content`, as soon as these are ready."""
        self.finisher.end(span, end, partial(self.of_tool, *content), known, error)

    def model(self, payload: Any) -> ModelContent | None:
        """The content of a model call with this request; only its messages are kept, as it may hold the API key."""
        messages = payload.get("messages") if isinstance(payload, dict) else None
        return ModelContent(tuple(messages)) if isinstance(messages, list) else None

    def of_model(self, content: ModelContent) -> dict[str, Any]:
        """The attributes of a model call."""
        count = system_messages(content.messages)
        attributes: dict[str, Any] = {}
        if count:
            attribute = self._text_of(SYSTEM)
            found = [
                part for each in content.messages[:count] for part in parts(each, attribute) if part["type"] == "text"
            ]
            attributes |= attribute.attributes(found)
        attribute = self._text_of(INPUT)
        attributes |= attribute.attributes(_latest(content.messages[count:], attribute))
        attribute = self._text_of(OUTPUT)
        if output := content.output.messages(attribute):
            attribute.characters += content.output.missing()
            attributes |= attribute.attributes(output)
        return attributes

    def of_tool(self, arguments: Any, result: Any) -> dict[str, Any]:
        """The attributes of a tool call; those that are None are left out."""
        attribute = self._text_of(TOOL_ARGUMENTS)
        attributes = attribute.attributes(attribute.value(arguments)) if arguments is not None else {}
        attribute = self._text_of(TOOL_RESULT)
        return attributes if result is None else attributes | attribute.attributes(attribute.value(result))

    def _text_of(self, kind: str) -> AttributeText:
        return AttributeText(kind, self._limit, self._redact)


def capture(settings: Settings, guard: Guard, end_span: EndSpan = Spans.end) -> ContentCapture | None:
    """Content capture as set; None where it is off, or where its redaction hook cannot be imported."""
    if not settings.content:
        return None
    if not settings.redact:
        return ContentCapture(settings.content_limit, None, guard, end_span)
    redact, fault = tried(_imported, settings.redact)
    if redact is None:
        what = type(fault).__name__ if fault is not None else "it is no function"
        warn(f"{names.SETTING_REDACT.name}={settings.redact!r} can't be used ({what}); no content is captured.")
        return None
    return ContentCapture(settings.content_limit, redact, guard, end_span)


def _imported(path: str) -> Redact | None:
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found if callable(found) else None


def _latest(messages: tuple[Any, ...], attribute: AttributeText) -> list[dict[str, Any]]:
    # From the newest back: the beginning of a long history is the least missed.
    room = attribute.limit - len("[]")
    kept: list[dict[str, Any]] = []
    for position in range(len(messages) - 1, -1, -1):
        message = as_message(messages[position], attribute)
        room -= overhead(message) + len(", ")
        if room < 0:
            attribute.cut = True
            attribute.characters += sum(_length(each) for each in messages[:position])
            break
        kept.append(message)
    return kept[::-1]


def _length(message: Any) -> int:
    content = message.get("content") if isinstance(message, dict) else None
    return len(content) if isinstance(content, str) else 0
