"""What one connection says, without the connection: requests out, frames in, each for its message.

The dialect is recognised from the server's frames. A chunk is told by its head and is not parsed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from ailoop_otel.measure.client.message import Message
from ailoop_otel.protocol import DIALECTS, recognise
from ailoop_otel.protocol.frame import (
    MESSAGE_METHOD,
    STOP_METHOD,
    Answer,
    Dialect,
    Json,
    Meaning,
    Notice,
    error_code,
    is_reply,
    read_frame,
)

# No frame begins like this: `startswith` of none at all.
_NO_FRAME: Final[tuple[str, ...]] = ()

Reply = Callable[[Json | None], None]


class Conversation:
    """The state of one connection, which serves one session: what comes is for its oldest open message.

    `stranger` is set when a reply to a message is of no dialect known here.
    """

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send
        self._head: str | tuple[str, ...] = _NO_FRAME
        self._number = 0
        self._replies: dict[int, Reply] = {}
        self._asked: dict[int, Message] = {}
        self._open: list[Message] = []
        self.dialect: Dialect | None = None
        self.stranger = False

    def call(self, method: str, params: Json, reply: Reply) -> None:
        """Send a request; `reply` gets the whole reply, or None if the connection ends first."""
        self._number += 1
        self._replies[self._number] = reply
        if method == STOP_METHOD and self.dialect is not None and self.dialect.stop_cuts:
            for message in self._open:
                message.stopped = True
        self._request(method, params)

    def ask(self, message: Message, session: str, text: str, now: float) -> None:
        """Send a message of a session, with its trace context."""
        self._number += 1
        self._asked[self._number] = message
        self._open.append(message)
        message.sent = now
        self._request(
            MESSAGE_METHOD,
            {"sessionId": session, "message": text, "_meta": {"traceparent": message.traceparent}},
        )

    def take(self, text: str, now: float) -> None:
        """Read a frame that came at `now`."""
        if self.dialect is None:
            self._learn(recognise(text))
        if text.startswith(self._head):
            self._chunk(text, now)
            return
        frame = read_frame(text)
        if frame is None:
            return
        if is_reply(frame):
            self._replied(frame, now)
        elif self.dialect is not None:
            self._noticed(self.dialect.notice(frame), now)

    def close(self) -> None:
        """The connection ended: nothing more comes for anybody."""
        replies, self._replies = self._replies, {}
        for reply in replies.values():
            reply(None)
        for message in [*self._open]:
            message.lose()
        self._open.clear()
        self._asked.clear()

    def _request(self, method: str, params: Json) -> None:
        self._send(json.dumps({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}))

    def _learn(self, dialect: Dialect | None) -> None:
        if dialect is not None:
            self.dialect = dialect
            self._head = dialect.chunk_head

    def _chunk(self, text: str, now: float) -> None:
        dialect = self.dialect
        if dialect is None or not self._open:
            return
        message = self._open[0]
        if dialect.final_tail and text.endswith(dialect.final_tail):
            self._final(message, now)
        elif dialect.cumulative:
            message.update(text, now, dialect)
        else:
            message.chunk(now)

    def _noticed(self, notice: Notice, now: float) -> None:
        meaning = notice.meaning
        if not self._open or meaning is Meaning.OTHER:
            return
        message = self._open[0]
        if meaning in (Meaning.CHUNK, Meaning.TEXT):
            if notice.size:
                message.text(now)
        elif meaning is Meaning.FINAL:
            self._final(message, now)
        else:
            message.stopped = message.stopped or meaning is Meaning.SESSION_ENDED
            message.failed = meaning is not Meaning.SESSION_ENDED
            message.timed_out = meaning is Meaning.TIMED_OUT
            self._complete(message, now)

    def _final(self, message: Message, now: float) -> None:
        message.whole = True
        self._complete(message, now)

    def _complete(self, message: Message, now: float) -> None:
        """The answer is complete once it was acknowledged too."""
        if message.answered:
            self._let_go(message)
            message.end(now)

    def _replied(self, frame: Json, now: float) -> None:
        number = frame.get("id")
        message = self._asked.pop(number, None) if isinstance(number, int) else None
        if message is not None:
            self._message_replied(message, frame, now)
        elif isinstance(number, int) and number in self._replies:
            self._replies.pop(number)(frame)

    def _message_replied(self, message: Message, frame: Json, now: float) -> None:
        message.answered = True
        message.code = error_code(frame)
        if message.code is not None:
            self._let_go(message)
            message.end(now)
            return
        answer = self._read_answer(frame.get("result"))
        if answer is None:
            self.stranger = True
            self._let_go(message)
            message.end(now)
        elif answer.acknowledges:
            message.acknowledged = now
            if message.whole or message.failed or message.stopped:
                self._complete(message, now)
        else:
            self._let_go(message)
            message.answer(answer, now)

    def _read_answer(self, result: Any) -> Answer | None:
        if self.dialect is not None:
            return self.dialect.answer(result)
        # Nothing was said yet by which to tell the generations apart.
        for dialect in DIALECTS:
            answer = dialect.answer(result)
            if answer is not None:
                self._learn(dialect)
                return answer
        return None

    def _let_go(self, message: Message) -> None:
        if message in self._open:
            self._open.remove(message)
