"""Servers of every combination of traits, scripted: which frames they send, and the truth about each answer.

The truth is kept beside each frame as the script is written, from what the frame is meant to be: nothing of the package
is asked. Times are seconds since the script began, whole ones, so that both clocks hold them exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tests.ailoop.process import DELEGATES, STATELESS
from tests.scripted import channel, chunk, compact, reply, request, status, update
from tests.wire.talk import acknowledged, answered, refused

OWN, NAMED, STRANGE = (f"{digit * 8}-89ab-cdef-0123-456789abcdef" for digit in "123")

# Cumulative updates; pieces; pieces whose frames begin as no known ones do; one piece in a notice, and in the reply;
# frames of a form that no dialect knows, and such that name no session.
UPDATES, PIECES, COMPACT, NOTICE, REPLY = "updates", "pieces", "compact", "notice", "reply"
UNKNOWN, UNNAMED = "unknown", "unnamed"
STREAMING = (UPDATES, PIECES, COMPACT, NOTICE, REPLY, UNKNOWN, UNNAMED)
BEFORE, MIDDLE, AFTER, LAST = "before", "middle", "after", "last"
MOMENTS = (BEFORE, MIDDLE, AFTER, LAST)
CURRENT, EARLIER = "current", "earlier"
# What goes wrong: the answer is null, an error instead of an answer, a refusal at once, an error status, a stream that
# ends early and is passed off as whole.
NULL, ERROR, REFUSED, STATUS, CUT = "null", "error", "refused", "status", "cut"
FAILING = ("", NULL, ERROR, REFUSED, STATUS, CUT)

FIRST_CHUNK_DEADLINE = STALL_DEADLINE = 30
LONG = 40  # longer than that


@dataclass(frozen=True)
class Character:
    """How a server speaks. Each field is independent of the others."""

    streaming: str = UPDATES  # one of STREAMING
    replies: bool = True  # the reply brings the answer; else it acknowledges, and a frame is final
    acknowledged: str = BEFORE  # the stream, in its MIDDLE, AFTER it, or LAST: after the final frame
    in_context: bool = True  # frames are sent by the handler of the message; else by another task
    overlapping: bool = False  # of two messages with ids the second is taken before the first is answered
    socket_owns: bool = False  # the answer is of the socket's session, whichever the message names
    names_another: bool = False  # the messages name another session than the socket's
    starts: bool = True  # startSession was called
    greeting: str = ""  # a notification of the CURRENT or the EARLIER generation comes first
    answers_unnumbered: bool = False  # messages without id are answered
    repeats: bool = False  # the last update is sent again
    opens_empty: bool = False  # a frame of the stream without text comes first
    commands: bool = True  # a slash command is answered by the server itself, where the reply brings answers
    strangers: bool = False  # frames of another session come in between, from both tasks

    @property
    def named(self) -> str:
        """The session that messages name."""
        return NAMED if self.names_another or not self.starts else OWN

    @property
    def answering(self) -> str:
        """The session that frames name."""
        return OWN if self.socket_owns and self.starts else self.named


@dataclass(frozen=True)
class Said:
    """A message: the texts that its answer is made of, the seconds before each frame, and what goes wrong."""

    texts: tuple[str, ...] = ("a ", "b ")
    pauses: tuple[int, ...] = (1,)
    numbered: bool = True
    command: bool = False
    failing: str = ""


@dataclass
class Truth:
    """What became of a message."""

    asked: int = 0
    received: int = 0
    turn: int = 0
    chunks: list[int] = field(default_factory=list)
    completion: int = 0
    outcome: str = ""
    readable: bool = True  # the chunks are of a form that some dialect knows
    numbered: bool = True
    command: bool = False  # its text is a slash command
    ignored: bool = False
    dialect: str = ""  # what the frames until its end show; "" where they leave it open
    named: bool = False  # frames of the answer name its session

    @property
    def first(self) -> int | None:
        """When the first chunk came."""
        return self.chunks[0] if self.chunks else None

    @property
    def longest_gap(self) -> int:
        """The longest time between two chunks."""
        return max((after - before for before, after in zip(self.chunks, self.chunks[1:], strict=False)), default=0)

    @property
    def silences(self) -> set[str]:
        """The phases in which the client heard nothing for too long."""
        if self.ignored:
            return set()
        phases = set()
        if (self.chunks or [self.completion])[0] - self.turn > FIRST_CHUNK_DEADLINE:
            phases.add("first_chunk")
        ends = [*self.chunks, self.completion]
        if any(after - before > STALL_DEADLINE for before, after in zip(ends, ends[1:], strict=False)):
            phases.add("stall")
        return phases


class Step(NamedTuple):
    """One step: "ask", "receive" (the application gets it), "back" (it waits for the next), "wait", "send"."""

    kind: str
    message: int | None = None  # of "send": in whose handler's context; None: in a task of its own
    text: str = ""
    seconds: int = 0


class Script:
    """What happens on one connection, and the truth about each message."""

    def __init__(self, character: Character, said: list[Said]) -> None:
        self.character = character
        # Only a server that repeats the last update shows that one was cut.
        cuts = character.streaming == UPDATES and character.repeats and character.replies
        self.said = said = [each if cuts or each.failing != CUT else replace(each, failing="") for each in said]
        readable = character.streaming not in (UNKNOWN, UNNAMED)
        self.truths = [Truth(numbered=each.numbered, command=each.command, readable=readable) for each in said]
        self.steps: list[Step] = []
        self.now = 0
        self._seen: set[str] = set()  # the dialects of the frames so far
        self._pauses: Iterator[int] = iter(())
        self._write()

    def request(self, number: int) -> str:
        """The message as the client sends it."""
        said = self.said[number]
        text = "/help" if said.command else "hello"
        request_id = number if said.numbered else None
        return request("sendUserMessage", request_id, sessionId=self.character.named, message=text)

    def _write(self) -> None:
        self._open()
        numbers = list(range(len(self.said)))
        while numbers:
            # Whether one without id is answered at all no frame says: what comes while another is open may be for it.
            pair = self.character.overlapping and all(self.said[number].numbered for number in numbers[:2])
            together = numbers[: 2 if pair else 1]
            del numbers[: len(together)]
            self._exchanges(together)

    def _open(self) -> None:
        greeting = {CURRENT: compact("agent.created", {"agent_id": "a"}), EARLIER: status(1, "Session started", OWN)}
        if self.character.greeting:
            self._send(None, greeting[self.character.greeting])

    def _exchanges(self, numbers: list[int]) -> None:
        for number in numbers:
            self.truths[number].asked = self.now
            self.steps.append(Step("ask", number))
        for number in numbers:
            self._receive(number)
            if len(numbers) > 1:
                # Handled beside the others; what answers it comes later.
                self._acknowledge(number, BEFORE)
                self.steps.append(Step("back"))
        for number in numbers:
            self.truths[number].turn = max(self.truths[number].received, *(self.truths[n].completion for n in numbers))
            self._answer(number, alone=len(numbers) == 1)

    def _receive(self, number: int) -> None:
        self.steps.append(Step("receive", number))
        self.truths[number].received = self.now

    def _answer(self, number: int, *, alone: bool) -> None:
        said, truth, character = self.said[number], self.truths[number], self.character
        self._pauses = iter(said.pauses)
        if not said.numbered and not character.answers_unnumbered:
            truth.ignored = True
        elif said.numbered and said.failing == REFUSED:
            self._reply(number, refused(number, -32602))
            truth.outcome = "protocol_error"
        elif said.command and character.replies and character.commands:
            self._pause()
            # It names no session, and its handler sends it.
            self._send(number, compact("agent.message", {"message": "commands: /help"}), replying=True)
            if said.numbered:
                self._reply(number, acknowledged(number))
            truth.outcome = "ok"
        elif character.replies:
            self._stream(number)
            self._end_by_reply(number)
        else:
            if alone:
                self._acknowledge(number, BEFORE)
                if not character.in_context:
                    self.steps.append(Step("back"))
            self._stream(number)
            self._end_by_final(number)
        if alone:
            if not said.numbered and character.replies and not truth.ignored:
                self._pause()
            self.steps.append(Step("back"))
        truth.completion = truth.completion or self.now
        truth.dialect = "" if "?" in self._seen else _dialect(self._seen)

    def _stream(self, number: int) -> None:
        said, character = self.said[number], self.character
        if character.streaming == NOTICE:
            if said.texts:
                self._chunk(number, channel("".join(said.texts), character.answering))
        elif character.streaming != REPLY:
            if character.opens_empty and character.streaming in (UPDATES, PIECES, COMPACT):
                self._pause()
                self._send(number, self._frame(("",)))
            for position in range(len(said.texts)):
                if position == len(said.texts) // 2:
                    self._acknowledge(number, MIDDLE)
                self._stranger(number)
                self._chunk(number, self._frame(said.texts[: position + 1]))
            if character.streaming == UPDATES and character.repeats and said.texts and not said.failing:
                self._pause()
                self._send(number, self._frame(said.texts))
        if character.streaming in (NOTICE, REPLY) or not said.texts:
            self._acknowledge(number, MIDDLE)
        self._acknowledge(number, AFTER)

    def _frame(self, texts: tuple[str, ...]) -> str:
        character = self.character
        session = character.answering
        if character.streaming == UPDATES:
            return update("".join(texts), session, structured=not character.repeats)
        if character.streaming == PIECES:
            return chunk(texts[-1], session)
        if character.streaming == COMPACT:
            return _compact_piece(texts[-1], session, final=False)
        named = {"sessionId": session} if character.streaming == UNKNOWN else {}
        return compact("token.delta", {"delta": texts[-1], **named})

    def _end_by_reply(self, number: int) -> None:
        said, truth = self.said[number], self.truths[number]
        text = "".join(said.texts)
        if said.failing == STATUS:
            self._pause()
            self._send(number, status(3, "Error: no model", self.character.answering))
        failed = {ERROR: "server_error", CUT: "cut" if text else "no_answer"}
        truth.outcome = failed.get(said.failing, "ai_error") if said.failing else "ok" if text else "no_answer"
        if not said.numbered:
            if said.failing != STATUS:
                # What the reply would have brought, a text or a failure, is not sent.
                truth.outcome = "ok" if truth.chunks else "no_answer"
            return
        if said.failing == ERROR:
            self._reply(number, refused(number, -32603))
        elif said.failing and said.failing != CUT:
            self._reply(number, answered(number, None))
        else:
            self._pause()
            if self.character.streaming == REPLY and text:
                truth.chunks.append(self.now)
            self._send(number, answered(number, text), replying=True)

    def _end_by_final(self, number: int) -> None:
        said, truth, character = self.said[number], self.truths[number], self.character
        session = character.answering
        if said.failing:
            truth.outcome = "ai_error"
            self._pause()
            self._send(number, status(3, "Error: no model", session))
        elif character.streaming == REPLY and said.texts:
            truth.outcome = "ok"
            self._chunk(number, chunk("".join(said.texts), session, final=True))
        else:
            truth.outcome = "ok" if said.texts else "no_answer"
            self._pause()
            if character.streaming == COMPACT:
                self._send(number, _compact_piece("".join(said.texts[-1:]), session, final=True))
            else:
                # The last piece again, where there are pieces.
                last = said.texts[-1] if said.texts and character.streaming == PIECES else ""
                self._send(number, chunk(last, session, final=True))
        self._acknowledge(number, LAST)

    # --- Frames -------------------------------------------------------------------------------------------
    def _acknowledge(self, number: int, moment: str) -> None:
        character, said = self.character, self.said[number]
        if said.numbered and not character.replies and character.acknowledged == moment and said.failing != REFUSED:
            self._pause()
            self._send(number, acknowledged(number), replying=True)

    def _reply(self, number: int, text: str) -> None:
        self._pause()
        self._send(number, text, replying=True)

    def _chunk(self, number: int, text: str) -> None:
        self._pause()
        self.truths[number].chunks.append(self.now)
        self._send(number, text)

    def _stranger(self, number: int) -> None:
        if self.character.strangers:
            self._pause(short=True)
            frames = (
                update("of nobody here", STRANGE), chunk("of nobody here", STRANGE),
                _compact_piece("of nobody here", STRANGE, final=False), channel("of nobody here", STRANGE),
                compact("token.delta", {"delta": "of nobody here", "sessionId": STRANGE}),
            )  # fmt: skip
            self._seen |= {STATELESS, DELEGATES}
            for text in frames:
                self.steps.append(Step("send", None, text))
                self.steps.append(Step("send", number, text))

    def _send(self, number: int | None, text: str, *, replying: bool = False) -> None:
        if number is not None and self.character.answering in text:
            self.truths[number].named = True
        self._seen |= self._shown_by(number, text)
        in_context = number is not None and (replying or self.character.in_context)
        self.steps.append(Step("send", number if in_context else None, text))

    def _shown_by(self, number: int | None, text: str) -> set[str]:
        """Whose frame it is."""
        if any(mark in text for mark in ("agent.", "StreamingUpdate", "ChannelMessage", "ai_response")):
            return {STATELESS}
        if "AIMessageChunk" in text or "SessionStatus" in text:
            return {DELEGATES}
        if "messageId" in text:
            # The earlier generation's acknowledgement, or what the current one replies to a command.
            return {"?"} if number is not None and self.said[number].command else {DELEGATES}
        return set()

    def _pause(self, *, short: bool = False) -> None:
        seconds = 1 if short else next(self._pauses, 1)
        self.now += seconds
        self.steps.append(Step("wait", seconds=seconds))


def _dialect(seen: set[str]) -> str:
    return "mixed" if len(seen) > 1 else next(iter(seen), "unknown")


def _compact_piece(text: str, session: str, *, final: bool) -> str:
    """A piece as no known dialect writes it: its method and keys are known, its form is not."""
    params: dict[str, Any] = {"isFinal": final, "chunk": text, "sessionId": session}
    frame = {"params": params, "method": "AIMessageChunkNotification", "jsonrpc": "2.0"}
    return json.dumps(frame, separators=(",", ":"))


START, STARTED = request("startSession", "s", userId="u"), reply("s", {"sessionId": OWN, "status": 1})
