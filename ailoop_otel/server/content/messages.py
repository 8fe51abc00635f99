"""Messages to and from a model in the form of OpenTelemetry's GenAI conventions: a role, and parts with a type.

Schemas: https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ailoop_otel.server import stream
from ailoop_otel.server.content.attribute import AttributeText
from ailoop_otel.server.content.truncation import WHOLE, Label

_MOST_CALLS: Final = 128
_ASSISTANT: Final = Label("assistant")
_TEXT: Final = Label("text")
_REASONING: Final = Label("reasoning")
_TOOL_CALL: Final = Label("tool_call")
_RESPONSE: Final = Label("tool_call_response")
_BLOB: Final = Label("blob")
# Those that the conventions know carry no text; any other is somebody's.
_ROLES: Final = {role: Label(role) for role in ("system", "user", "assistant", "tool")}
Part = dict[str, Any]


def system_messages(messages: tuple[Any, ...]) -> int:
    """How many messages at the beginning have the role `system`."""
    count = 0
    while count < len(messages) and _role(messages[count]) == "system":
        count += 1
    return count


def parts(message: Any, attribute: AttributeText) -> list[Part]:
    """The parts of a message that has OpenRouter's form; none of what is no message."""
    if not isinstance(message, dict):
        return []
    if _role(message) == "tool":
        response = attribute.value(message.get("content"))
        return [{"type": _RESPONSE, "id": attribute.label(message.get("tool_call_id")), "response": response}]
    found = list(_texts(message.get("content"), attribute))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            arguments = attribute.value(function.get("arguments"))
            found.append(_tool_call(call.get("id"), function.get("name"), arguments, attribute))
    return found


def as_message(message: Any, attribute: AttributeText) -> dict[str, Any]:
    """A message of OpenRouter's form in the form of the conventions."""
    role = _role(message)
    return {"role": _ROLES.get(role) or attribute.label(role), "parts": parts(message, attribute)}


class ModelOutput:
    """A model's answer, joined from the chunks of its stream; bounded, and characters beyond the bound are counted."""

    __slots__ = ("_calls", "_reasoning", "_text")

    def __init__(self) -> None:
        self._text = _BoundedText()
        self._reasoning = _BoundedText()
        self._calls: dict[Any, _ToolCall] = {}

    def line(self, line: bytes) -> None:
        """Take in one line of the stream."""
        chunk = stream.read(line) if stream.is_data(line) else None
        if chunk is None:
            return
        delta = stream.delta(chunk)
        self._text.add(delta.get("content"))
        self._reasoning.add(delta.get("reasoning"))
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                self._take_call(call)

    def messages(self, attribute: AttributeText) -> list[dict[str, Any]]:
        """The answer as a list of one message; an empty list where nothing came."""
        found: list[Part] = []
        if self._reasoning.size:
            found.append({"type": _REASONING, "content": attribute.text(self._reasoning.joined())})
        if self._text.size:
            found.append({"type": _TEXT, "content": attribute.text(self._text.joined())})
        found.extend(
            _tool_call(call.id, call.name, attribute.value(call.arguments.joined()), attribute)
            for call in self._calls.values()
        )
        return [{"role": _ASSISTANT, "parts": found}] if found else []

    def missing(self) -> int:
        """How many characters came beyond the bound."""
        kept = (self._text, self._reasoning, *(call.arguments for call in self._calls.values()))
        return sum(pieces.size - pieces.kept for pieces in kept)

    def _take_call(self, delta: dict[str, Any]) -> None:
        index = delta.get("index")
        index = index if isinstance(index, int) else 0
        call = self._calls.get(index)
        if call is None:
            if len(self._calls) >= _MOST_CALLS:
                return
            call = self._calls[index] = _ToolCall()
        function = delta.get("function")
        function = function if isinstance(function, dict) else {}
        call.id = call.id or delta.get("id")
        call.name = call.name or function.get("name")
        call.arguments.add(function.get("arguments"))


class _BoundedText:
    __slots__ = ("_pieces", "kept", "size")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.kept = self.size = 0

    def add(self, piece: Any) -> None:
        if not isinstance(piece, str) or not piece:
            return
        self.size += len(piece)
        # One character more than is recorded: so it is known that there was more.
        if self.kept <= WHOLE:
            kept = piece[: WHOLE + 1 - self.kept]
            self._pieces.append(kept)
            self.kept += len(kept)

    def joined(self) -> str:
        return "".join(self._pieces)


class _ToolCall:
    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id: Any = None
        self.name: Any = None
        self.arguments = _BoundedText()


def _texts(content: Any, attribute: AttributeText) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield {"type": _TEXT, "content": attribute.text(content)}
        return
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield {"type": _TEXT, "content": attribute.text(part["text"])}
        elif isinstance(part, dict):
            # An image or a file: only that it was there.
            yield {"type": _BLOB, "modality": attribute.label(part.get("type"))}


def _tool_call(call_id: Any, name: Any, arguments: Any, attribute: AttributeText) -> Part:
    named = {"id": attribute.label(call_id), "name": attribute.label(name)}
    return {"type": _TOOL_CALL, **named, "arguments": arguments}


def _role(message: Any) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role if isinstance(role, str) else ""
