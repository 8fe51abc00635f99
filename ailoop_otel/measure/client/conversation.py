"""What one connection says, without the connection: requests out, frames in, each for its message."""

from __future__ import annotations

import json
from collections.abc import Callable

from ailoop_otel.measure.client.message import Message
from ailoop_otel.protocol.answer import COMPLETE
from ailoop_otel.protocol.dialect import Dialect, Meaning, ReplyKind
from ailoop_otel.protocol.jsonrpc import Json, carries_text, error_code, is_reply, read_frame
from ailoop_otel.protocol.registry import DIALECTS
from ailoop_otel.protocol.traits import NOTHING_KNOWN, Traits

Reply = Callable[[Json | None], None]


class Conversation:
    """The state of one connection, which serves one session: what comes is for its oldest open message.

    Requests are those of `dialect`; the answers are read by what the server's frames show (`traits`). A frame of
    another session is never of a message's answer. `stranger` is set when a reply to a message is of no known dialect,
    `unread` when frames of an unknown form came that may have carried an answer.
    """

    def __init__(self, send: Callable[[str], None], dialect: Dialect | None = None) -> None:
        self._send = send
        self._number = 0
        self._replies: dict[int, tuple[str, Reply]] = {}
        self._own: str | None = None  # the session that was started last
        self._asked: dict[int, Message] = {}
        self._open: list[Message] = []
        self.dialect = dialect or DIALECTS.dialects[0]
        self.traits: Traits = NOTHING_KNOWN
        self.stranger = False
        self.unread = False

    def call(self, method: str, params: Json, reply: Reply) -> None:
        """Send a request; `reply` gets the whole reply, or None if the connection ends first."""
        self._number += 1
        self._replies[self._number] = method, reply
        if method in DIALECTS.stop_methods and self.traits.stop_cuts:
            for message in self._open:
                message.stopped = True
        self._request(method, params)

    def ask(self, message: Message, session: str, text: str, now: float) -> None:
        """Send a message of a session, with its trace context."""
        self._number += 1
        self._asked[self._number] = message
        self._open.append(message)
        message.sent = message.last = now
        message.session_id = session
        message.traits = self.traits
        params = self.dialect.message_params(session, text)
        if self.dialect.takes_meta:
            params = params | {"_meta": {"traceparent": message.traceparent}}
        message.command = DIALECTS.command_of(self.dialect.message_method, params) in DIALECTS.commands
        self._request(self.dialect.message_method, params)

    def take(self, text: str, now: float) -> None:
        """Read a frame that came at `now`."""
        form = DIALECTS.form(text)
        if form is not None:
            self._revise(self.traits.seen(DIALECTS.dialect_of(form)))
            message = self._message_of(form.session(text))
            if message is not None:
                self._taken(message, message.take(now, text, form), now)
            return
        frame = read_frame(text)
        if frame is None:
            self._unreadable(None)
        elif is_reply(frame):
            self._replied(frame, len(text), now)
        else:
            self._noticed(frame, len(text), now)

    def close(self, now: float) -> None:
        """The connection ended: no answer comes any more."""
        replies, self._replies = self._replies, {}
        for _, reply in replies.values():
            reply(None)
        for message in [*self._open]:
            message.lose(now)
        self._open.clear()
        self._asked.clear()

    def _request(self, method: str, params: Json) -> None:
        self._send(json.dumps({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}))

    def _message_of(self, session_id: str | None) -> Message | None:
        message = self._open[0] if self._open else None
        if message is None or session_id is None:
            return message
        # Some servers answer in the socket's session, whichever the message named.
        own = self._own if self.traits.socket_owns_session else None
        return message if session_id == (own or message.session_id or session_id) else None

    def _revise(self, traits: Traits) -> None:
        if traits is not self.traits:
            self.traits = traits
            for message in self._open:
                message.traits = traits

    def _unreadable(self, session_id: str | None) -> None:
        message = self._message_of(session_id)
        if message is not None:
            self.unread = True
            message.unreadable()

    def _noticed(self, frame: Json, size: int, now: float) -> None:
        params = frame.get("params")
        dialect, notice = DIALECTS.notice(frame.get("method"), params)
        if dialect is not None:
            self._revise(self.traits.seen(dialect))
        if notice.meaning is Meaning.UNREADABLE:
            if carries_text(params):
                self._unreadable(notice.session_id)
            return
        message = self._message_of(notice.session_id)
        if message is not None:
            self._taken(message, message.read(now, notice, size), now)

    def _taken(self, message: Message, changed: int, now: float) -> None:
        # The answer is complete once it was acknowledged too.
        if changed & COMPLETE and message.answered:
            self._end(message, now)

    def _replied(self, frame: Json, size: int, now: float) -> None:
        number = frame.get("id")
        message = self._asked.pop(number, None) if isinstance(number, int) else None
        if message is not None:
            self._message_replied(message, frame, size, now)
        elif isinstance(number, int) and number in self._replies:
            method, reply = self._replies.pop(number)
            _, started = DIALECTS.started(method, frame.get("result"))
            self._own = started or self._own
            reply(frame)

    def _message_replied(self, message: Message, frame: Json, size: int, now: float) -> None:
        code = error_code(frame)
        if code is not None:
            message.refuse(code)
            self._end(message, now)
            return
        known = DIALECTS.replies(self.dialect.message_method, frame.get("result"))
        if not known:
            message.answered = True
            message.whole = bool(message.first)
            self.stranger = self.stranger or not message.first
            self._end(message, now)
            return
        self._revise(self.traits.replied(known, command=message.command))
        reply = known[0][1]
        if reply.kind is ReplyKind.RECEIVED:
            message.acknowledged = now
        if message.reply(now, reply, size) & COMPLETE:
            self._end(message, now)
        elif message.repeated:
            self._revise(self.traits.proven("repeats", True))

    def _end(self, message: Message, now: float) -> None:
        if message.repeated:
            self._revise(self.traits.proven("repeats", True))
        if message in self._open:
            self._open.remove(message)
        message.end(now)
