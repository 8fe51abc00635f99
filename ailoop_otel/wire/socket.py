"""What stands between the application and its WebSocket: `receive` and `send`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, NamedTuple

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import set_span_in_context

from ailoop_otel.protocol.registry import DIALECTS
from ailoop_otel.tracking.exchange import CALLER, CURRENT, Exchange
from ailoop_otel.wire.connection import Connection
from ailoop_otel.wire.state import Wire

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_current: Final = CURRENT.get
# Only of frames that follow each other as quickly as this, nanoseconds, some are not watched: after one send that
# failed starlette lets no other through, so that a client that leaves shows once.
_LOOK_EVERY: Final = 2_000_000


class _Taken(NamedTuple):
    """A chunk that its exchange has counted before it was sent; `changed` is what `Answer.take` returned."""

    exchange: Exchange
    changed: int
    session_id: str | None


# What a send raises for a frame that cannot be sent, such as one with half of a surrogate pair; the connection is as it
# was. Where the connection is the reason, servers raise an OSError, as ASGI says
# (https://asgi.readthedocs.io/en/latest/specs/www.html#send-event), a RuntimeError, or a class of their own.
_OF_THE_FRAME: Final = (TypeError, ValueError, LookupError, AttributeError, RecursionError, MemoryError)
# Nothing is left to be done after the frame was sent.
_DONE: Final = _Taken(None, 0, None)  # type: ignore[arg-type]


class Socket(Connection):
    """A connection with the two functions that its application is given.

    One object, not two functions with what they close over: many are open, and most of them rest.
    """

    __slots__ = ("_base", "_look_at", "_now", "_receive", "_send")

    def __init__(self, wire: Wire, scope: Any, receive: Receive, send: Send) -> None:
        self._base = get_current()
        self._now = wire.telemetry.clock.now
        self._receive = receive
        self._send = send
        self._look_at = 0  # from then on the next further update is watched
        super().__init__(wire, scope)

    async def receive(self) -> Message:
        """The next message, which the connection reads; it is passed on as it is.

        What the message's handler does finds its exchange in the context. The context is set anew at each call and
        no token is ever given back: the handler may hand the context to tasks that outlive it.
        """
        # The barrier by hand, here and below: entered as a context it would be a thirtieth of what an exchange costs.
        guard = self.wire.telemetry.guard
        try:
            _enter_base(self._base)
            if not self.over:
                self.awaiting(self._now())
        except Exception as fault:
            if not guard.caught(fault):
                raise
        message = await self._receive()
        try:
            if not self.over:
                _arrived(self, message, self._now(), self._base)
        except Exception as fault:
            if not guard.caught(fault):
                raise
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Send a frame, which the connection reads; the frame and what the server raises pass as they are.

        Nearly all frames are chunks, and a chunk must cost next to nothing: all that `Answer.take` would do with a
        further update is done here, and the server's own awaitable is returned. A coroutine around it, which sees a
        send that fails, costs as much as all the rest: so only one in each `_LOOK_EVERY` has one, and each frame that
        is no further update. Each line counts: a method of `self` that is looked up and called at once costs three
        times what it does by way of a name, since they are slots.
        """
        try:
            text = message["text"]
            exchange = _current()
            if (
                exchange is not None
                # A further update of the same session: see `Answer.from_frame`. Comparisons and a slice that is kept
                # cost half of what `startswith` and `endswith` do.
                and text[exchange.tail_at] == exchange.tail
                and exchange.from_frame <= text < exchange.to_frame
                and (size := len(text)) > exchange.frame_size
            ):
                clock = self._now
                now = clock()
                exchange.frame_size = size
                exchange.stream_size += size
                exchange.before = last = exchange.last
                if now > exchange.calm:
                    if now - last > exchange.max_gap:
                        exchange.max_gap_before, exchange.longest_at = exchange.max_gap, now
                        exchange.max_gap = now - last
                    exchange.calm = now + exchange.max_gap
                exchange.last = now
                exchange.chunks += 1
            else:
                exchange = None
        except Exception:  # noqa: BLE001 - no text, or a fault of ours: the other way distinguishes them
            exchange = None
        if exchange is None:
            return self._send_other(message)
        if now < self._look_at:
            send = self._send
            return send(message)
        return self._send_watched(message, text, now)

    async def _send_watched(self, message: Message, text: str, now: int) -> None:
        self._look_at = now + _LOOK_EVERY
        try:
            await self._send(message)
        except Exception as fault:
            # Not where it was cancelled: the client is still there.
            with self.wire.telemetry.guard:
                self._failed(text, now, fault)
            raise

    async def _send_other(self, message: Message) -> None:
        # What can wait is done after the frame was sent.
        guard = self.wire.telemetry.guard
        now, text = 0, None
        taken: _Taken | None = None
        try:
            now = self._now()
            taken = self._take(_current(), message.get("text"), now)
            text = message.get("text")
        except Exception as fault:
            if not guard.caught(fault):
                raise
            taken = _DONE  # after a fault of ours nothing more is done
        try:
            await self._send(message)
        except Exception as fault:
            with guard:
                self._failed(text, now, fault)
            raise
        if taken is not _DONE:
            try:
                self._after(message, taken, text, now)
            except Exception as fault:
                if not guard.caught(fault):
                    raise

    def _failed(self, text: str | None, now: int, fault: Exception) -> None:
        if isinstance(fault, _OF_THE_FRAME):
            # The next may fail as well, as each update has the text of all before it: it is watched.
            self._look_at = 0
            self.unsent(text, now, type(fault).__name__)
        else:
            self.left(text, now)

    def _take(self, exchange: Exchange | None, text: str | None, now: int) -> _Taken | None:
        # A chunk is counted before it is sent, as the ones that are counted in `send`; None where it is no chunk of the
        # exchange in whose context it is sent.
        if exchange is None or exchange.ended or text is None:
            return None
        form = DIALECTS.form(text)
        if form is None:
            return None
        session_id = form.session(text)
        if not self.is_for(exchange, session_id):
            return None
        self.learn(DIALECTS.dialect_of(form))
        changed = exchange.take(now, text, form)
        return _Taken(exchange, changed, session_id) if changed else _DONE

    def _after(self, message: Message, taken: _Taken | None, text: str | None, now: int) -> None:
        if self.over:
            return
        if taken is not None:
            self.chunk_sent(taken.exchange, taken.changed, taken.session_id, now)
        elif text is not None:
            self.sent(text, now)
        elif message.get("bytes"):
            self.unreadable(None)


def _enter_base(base: Context) -> None:
    # Between two messages nothing is current but what was before the first. It is looked at before it is set: what
    # is set stays in the task's context, and most tasks only wait.
    if _current() is not None:
        CURRENT.set(None)
    if CALLER.get() is not None:
        CALLER.set(None)
    if get_current() is not base:
        attach(base)


def _arrived(connection: Connection, message: Message, now: int, base: Context) -> None:
    # The application is about to get the message.
    kind = message["type"]
    if kind == "websocket.receive":
        text = message.get("text")
        if text is None:
            connection.binary(now)
            return
        call = connection.request(text, now)
        if call is not None:
            CALLER.set(call.span.get_span_context())
        if call is not None and call.exchange is not None:
            CURRENT.set(call.exchange)
            # Only for messages: a task that startSession makes would carry its span for ever.
            attach(set_span_in_context(call.span, base) if base else call.exchange.context)
    elif kind == "websocket.disconnect":
        connection.disconnected(message.get("code") or 1005, now)
