"""Frames and exchanges as the client sees them: what belongs to which message, and when one is complete."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .process import DELEGATES, STATELESS

_STREAMS = {"StreamingUpdate", "ChannelMessageNotification"}


@dataclass(frozen=True)
class Frame:
    """One frame received: its text, and when, by two clocks."""

    text: str
    at: float
    wall: float

    @cached_property
    def json(self) -> dict[str, Any]:
        """The frame as JSON."""
        read: dict[str, Any] = json.loads(self.text)
        return read

    @property
    def method(self) -> str | None:
        """The notification's method, or None for a response."""
        return self.json.get("method")

    @property
    def params(self) -> dict[str, Any]:
        """The notification's params."""
        return self.json.get("params") or {}

    @property
    def session(self) -> str | None:
        """The session that the frame names."""
        return self.params.get("sessionId")


@dataclass
class Exchange:
    """One chat message and the frames that came for it."""

    dialect: str
    session: str
    id: Any
    sent: float = 0.0
    frames: list[Frame] = field(default_factory=list)
    first_text: Frame | None = None
    completion: Frame | None = None
    response: dict[str, Any] | None = None
    sequence: int = 0
    lost: str | None = None
    _done: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def completed(self) -> bool:
        """Whether nothing more is to come."""
        return self._done.is_set()

    @property
    def text(self) -> str:
        """The answer's text as it was streamed."""
        if self.dialect == STATELESS:
            return next((each.params["content"] for each in reversed(self.frames) if each.method in _STREAMS), "")
        return "".join(each.params["chunk"] for each in self.frames if _is_delta(each))

    @property
    def pieces(self) -> list[Frame]:
        """The frames with a further piece of the text, where it is streamed so."""
        return [each for each in self.frames if _is_delta(each) and _has_text(each)]

    @property
    def seconds_to_first_text(self) -> float | None:
        """How long the first text took."""
        return None if self.first_text is None else self.first_text.at - self.sent

    @property
    def seconds(self) -> float | None:
        """How long the exchange took."""
        return None if self.completion is None else self.completion.at - self.sent

    async def done(self, timeout: float = 15.0) -> Exchange:
        """Wait for the completion; ConnectionError if the connection ended first."""
        await asyncio.wait_for(self._done.wait(), timeout)
        if self.lost:
            raise ConnectionError(self.lost)
        return self

    async def started(self, timeout: float = 5.0) -> Frame:
        """Wait for the first text and return its frame."""

        async def first() -> Frame:
            while self.first_text is None:
                await asyncio.sleep(0.001)
            return self.first_text

        return await asyncio.wait_for(first(), timeout)

    async def acknowledged(self, timeout: float = 5.0) -> dict[str, Any]:
        """Wait for the response, which in the earlier generation is only an ack."""

        async def response() -> dict[str, Any]:
            while self.response is None:
                await asyncio.sleep(0.001)
            return self.response

        return await asyncio.wait_for(response(), timeout)

    def takes(self, frame: Frame) -> bool:
        """Keep a frame if it is this exchange's."""
        taken = self._takes_response(frame) if frame.method is None else self._takes_notification(frame)
        if taken and self.first_text is None and _has_text(frame):
            self.first_text = frame
        return taken

    def end(self, lost: str | None = None) -> None:
        """End an exchange that has no frame to tell its end, or whose connection is gone."""
        self.lost = lost
        self._done.set()

    def _takes_response(self, frame: Frame) -> bool:
        if self.response is not None or frame.json.get("id") != self.id or self.id is None:
            return False
        self.frames.append(frame)
        self.response = frame.json
        # The earlier generation's response is only an ack, unless it refuses the message.
        if self.dialect != DELEGATES or "error" in frame.json:
            self._complete(frame)
        return True

    def _takes_notification(self, frame: Frame) -> bool:
        # The current generation answers on a socket one message after the other, and from the session that
        # the socket owns, whichever id was sent.
        if self.dialect != STATELESS and frame.session not in (None, self.session):
            return False
        self.frames.append(frame)
        if self.dialect == DELEGATES and (frame.params.get("isFinal") or frame.params.get("status") in (2, 3)):
            self._complete(frame)
        return True

    def _complete(self, frame: Frame) -> None:
        self.completion = frame
        self._done.set()


def _is_delta(frame: Frame) -> bool:
    return frame.method == "AIMessageChunkNotification" and not frame.params.get("isFinal")


def _has_text(frame: Frame) -> bool:
    """Whether a frame carries text of the AI's answer."""
    if frame.method in _STREAMS:
        return bool(frame.params.get("content"))
    if frame.method is not None:
        return bool(frame.params.get("chunk"))
    result = frame.json.get("result")
    return bool(isinstance(result, dict) and result.get("ai_response"))
