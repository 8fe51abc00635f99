"""What the scripted provider can do with a request: a closed set, each a name, its settings, and its steps.

    say       a good answer: chunks, text, delay, gap, pause + after (one silence in the middle), reasoning
    empty     a completion that stops without a word
    json      a structured answer: value={...}, or final="..." for the usual shape, in `chunks` pieces
    tool      a call of the tool `name` with `arguments`, `times` calls, after saying `text` if there is one
    hang      nothing at all, not even the headers, until it is released; then as say
    stall     `after` chunks, then silence until it is released; then the rest
    cut       `after` chunks, then the connection is closed in the middle of the body
    drop      the connection is closed instead of any answer
    fail      the HTTP status `status` with a JSON error body
    error     `after` chunks, then an error event inside the 200 stream
    garbage   `after` chunks, a line that is no JSON, then the rest
    bill      a good answer, or a call of `tool`, whose token counts and cost are `bill`, in OpenRouter's members:
              `early` before the first text, else at the end; `roles` lines with a role only before the first text,
              `trailing` ones after the finish reason and after the counts; `empty` lines of data without any

All that stream know: `chunks` (3), `text` (split into chunks at its spaces, instead of `chunks`), `size`
(characters of a made-up chunk), `delay` (s before the first chunk), `gap` (s between chunks), `reasoning`
(reasoning deltas before the text), `keepalive` (s between `: OPENROUTER PROCESSING` comments whenever it is
silent), `usage` (token counts in a last chunk; on), `joined` (the last text carries the finish reason, instead of
an empty chunk), `id` (texts become `ID.0 ID.1 `, and the record is found by it).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .steps import Bill, Close, End, Event, Headers, Hold, Raw, Refuse, Step, Wait


@dataclass(frozen=True, kw_only=True)
class Say:
    """A good answer, and the settings that every streaming behaviour shares."""

    verb: ClassVar[str] = "say"

    id: str = ""
    chunks: int = 3
    text: str = ""
    size: int = 0
    delay: float = 0.0
    gap: float = 0.0
    pause: float = 0.0
    after: int = 1
    reasoning: int = 0
    keepalive: float = 0.0
    usage: bool = True
    joined: bool = False

    def texts(self) -> list[str]:
        """Return the text of each chunk."""
        if self.text:
            return [word + " " for word in self.text.split(" ")[:-1]] + [self.text.split(" ")[-1]]
        stem = f"{self.id}." if self.id else "w"
        return [f"{stem}{number} ".ljust(self.size, "x") for number in range(self.chunks)]

    def steps(self) -> Iterator[Step]:
        """Yield what to do, in order."""
        yield Headers()
        yield Wait(self.delay)
        for number in range(self.reasoning):
            yield Event({"role": "assistant", "content": "", "reasoning": f"r{number} "})
            yield Wait(self.gap)
        for number, text in enumerate(self.texts()):
            if number == self.after:
                yield from self.interruption()
            elif number:
                yield Wait(self.gap)
            if self.joined and number == len(self.texts()) - 1:
                yield Event({"role": "assistant", "content": text}, finish="stop", usage=self.usage)
                return
            yield Event({"role": "assistant", "content": text})
        if len(self.texts()) <= self.after:
            yield from self.interruption()
        yield from self.ending()

    def interruption(self) -> Iterator[Step]:
        """Yield what happens once `after` chunks are out."""
        yield Wait(self.pause or self.gap)

    def ending(self) -> Iterator[Step]:
        """Yield the end of a good stream."""
        yield Event({"role": "assistant", "content": ""}, finish="stop", usage=self.usage)


@dataclass(frozen=True, kw_only=True)
class Empty(Say):
    """A completion that stops without a word."""

    verb: ClassVar[str] = "empty"
    chunks: int = 0


@dataclass(frozen=True, kw_only=True)
class Structured(Say):
    """A structured answer: one JSON text, streamed in pieces."""

    verb: ClassVar[str] = "json"
    value: Any = None
    final: str = "done"

    def texts(self) -> list[str]:
        """Return the JSON text in as many pieces as there are chunks."""
        value = self.value
        if value is None:
            value = {"analysis": "looked", "commentary": "working", "final": self.final}
        text = json.dumps(value)
        piece = -(-len(text) // max(self.chunks, 1))
        return [text[at : at + piece] for at in range(0, len(text), piece)]


@dataclass(frozen=True, kw_only=True)
class CallTool(Say):
    """A request for tools, streamed as a real provider does: the name first, the arguments in two pieces."""

    verb: ClassVar[str] = "tool"
    name: str = "list_directory"
    arguments: dict[str, Any] = field(default_factory=dict)
    times: int = 1

    def texts(self) -> list[str]:
        """Return the words before the call: none unless a text was given."""
        return super().texts() if self.text else []

    def ending(self) -> Iterator[Step]:
        """Yield the calls and a finish reason that asks for their results."""
        for index in range(self.times):
            yield from _call(self.id, index, self.name, self.arguments)
        yield Event({"role": "assistant", "content": ""}, finish="tool_calls", usage=self.usage)


def _call(id: str, index: int, name: str, arguments: dict[str, Any]) -> Iterator[Step]:
    text = json.dumps(arguments)
    middle = len(text) // 2
    call = {"index": index, "id": f"call_{id or 'tool'}_{index}", "type": "function"}
    yield _tool_delta(call | {"function": {"name": name, "arguments": ""}})
    yield _tool_delta({"index": index, "function": {"arguments": text[:middle]}})
    yield _tool_delta({"index": index, "function": {"arguments": text[middle:]}})


def _tool_delta(call: dict[str, Any]) -> Event:
    return Event({"role": "assistant", "content": None, "tool_calls": [call]})


@dataclass(frozen=True, kw_only=True)
class Hang(Say):
    """Nothing at all until it is released."""

    verb: ClassVar[str] = "hang"

    def steps(self) -> Iterator[Step]:
        """Yield a hold before even the headers; with keep-alives, the headers come first."""
        if self.keepalive:
            yield Headers()
        yield Hold()
        yield from super().steps()


@dataclass(frozen=True, kw_only=True)
class Stall(Say):
    """Some chunks, then silence until it is released."""

    verb: ClassVar[str] = "stall"

    def interruption(self) -> Iterator[Step]:
        """Yield the hold."""
        yield Hold()


@dataclass(frozen=True, kw_only=True)
class Cut(Say):
    """Some chunks, then the connection closes in the middle of the body."""

    verb: ClassVar[str] = "cut"

    def interruption(self) -> Iterator[Step]:
        """Yield the close."""
        yield Wait(self.gap)
        yield Close()


@dataclass(frozen=True, kw_only=True)
class Drop(Say):
    """No answer: the connection closes."""

    verb: ClassVar[str] = "drop"

    def steps(self) -> Iterator[Step]:
        """Yield the close."""
        yield Wait(self.delay)
        yield Close()


@dataclass(frozen=True, kw_only=True)
class Fail(Say):
    """An HTTP error with a JSON body."""

    verb: ClassVar[str] = "fail"
    status: int = 500
    message: str = "scripted failure"

    def steps(self) -> Iterator[Step]:
        """Yield the refusal."""
        yield Wait(self.delay)
        yield Refuse(self.status, {"error": {"code": self.status, "message": self.message}})


@dataclass(frozen=True, kw_only=True)
class ErrorEvent(Say):
    """Some chunks, then an error event inside the 200 stream, in the shape that OpenRouter documents."""

    verb: ClassVar[str] = "error"
    code: int = 502
    message: str = "scripted failure"

    def interruption(self) -> Iterator[Step]:
        """Yield the error and the end of the stream."""
        error = {"code": self.code, "message": self.message}
        yield Wait(self.gap)
        yield Event({"content": ""}, finish="error", extra={"error": error})


@dataclass(frozen=True, kw_only=True)
class Garbage(Say):
    """A line that is no JSON in the middle of a good answer."""

    verb: ClassVar[str] = "garbage"

    def interruption(self) -> Iterator[Step]:
        """Yield the broken line."""
        yield Raw("data: {broken\n\n")
        yield Wait(self.gap)


@dataclass(frozen=True, kw_only=True)
class Billed(Say):
    """An answer whose token counts and cost the directive gives, with lines around them that say nothing."""

    verb: ClassVar[str] = "bill"
    bill: dict[str, Any] = field(default_factory=dict)
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    early: bool = False
    roles: int = 0
    trailing: int = 0
    empty: int = 0

    def texts(self) -> list[str]:
        """Return the text of each chunk; none before a tool call."""
        return [] if self.tool else super().texts()

    def steps(self) -> Iterator[Step]:
        """Yield the lines before the first text, then the answer."""
        yield Headers()
        yield from self._roles(self.roles)
        if self.early and self.bill:
            yield Bill(self.bill)
        yield from super().steps()

    def interruption(self) -> Iterator[Step]:
        """Yield lines of data without any."""
        if self.empty:
            yield Raw("data:\n\n" * self.empty)
        yield from super().interruption()

    def ending(self) -> Iterator[Step]:
        """Yield the end of the answer, then the counts, each with lines behind it."""
        if self.tool:
            yield from _call(self.id, 0, self.tool, self.arguments)
        finish = "tool_calls" if self.tool else "stop"
        yield Event({"role": "assistant", "content": ""}, finish=finish, last=False)
        yield from self._roles(self.trailing)
        if self.bill and not self.early:
            yield Bill(self.bill)
            yield from self._roles(self.trailing)
        yield End()

    def _roles(self, count: int) -> Iterator[Step]:
        yield from [Event({"role": "assistant"})] * count


Behaviour = Say
