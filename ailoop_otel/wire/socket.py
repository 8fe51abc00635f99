"""What stands between the application and its WebSocket: `receive` and `send`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Literal

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import set_span_in_context

from ailoop_otel.tracking.current import CALLER, CURRENT
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.wire.connection import Connection
from ailoop_otel.wire.state import Wire

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_current: Final = CURRENT.get


class Socket(Connection):
    """A connection with the two functions that its application is given.

    One object, not two functions with what they close over: many are open, and most of them rest.
    """

    __slots__ = ("_base", "_now", "_receive", "_send")

    def __init__(self, wire: Wire, scope: Any, receive: Receive, send: Send) -> None:
        self._base = get_current()
        self._now = wire.telemetry.clock.now
        self._receive = receive
        self._send = send
        super().__init__(wire, scope)

    async def receive(self) -> Message:
        """The next message, told to the connection; it is passed on as it is.

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

    async def send(self, message: Message) -> None:
        """Send a frame, told to the connection; it is passed on as it is.

        Nearly all frames are chunks, and a chunk must cost next to nothing: so all that `Exchange.update` would do with
        a further one is done here, and anything else goes another way. Each line counts: a method of `self` that is
        looked up and called at once costs three times what it does by way of a name, since they are slots.
        """
        try:
            text = message["text"]
            exchange = _current()
            if (
                exchange is not None
                # A further chunk: comparing is half as dear as `startswith`, and tells empty frames apart as well.
                and text >= exchange.further
                and text < exchange.beyond
                and (size := len(text)) > exchange.frame_size
            ):
                clock = self._now
                now = clock()
                exchange.frame_size = size
                exchange.stream_size += size
                if now > exchange.calm:
                    if now - exchange.last > exchange.max_gap:
                        exchange.max_gap = now - exchange.last
                    exchange.calm = now + exchange.max_gap
                exchange.last = now
                exchange.chunks += 1
            else:
                exchange = None
        except Exception:  # noqa: BLE001 - no text, or a fault of ours: the other way tells them apart
            exchange = None
        if exchange is None:
            await self._send_other(message)
            return
        send = self._send
        try:
            await send(message)
        except Exception:
            # Not where it was cancelled: the client is still there.
            with self.wire.telemetry.guard:
                self.failed(text, now)
            raise

    async def _send_other(self, message: Message) -> None:
        # What can wait is done after the frame was sent.
        guard = self.wire.telemetry.guard
        now, text = 0, None
        begun: Exchange | None | Literal[False] = None
        try:
            now = self._now()
            begun = _told(_current(), message.get("text"), now)
            text = message.get("text")  # None after a fault: then nothing more is done
        except Exception as fault:
            if not guard.caught(fault):
                raise
        try:
            await self._send(message)
        except Exception:
            with guard:
                self.failed(text, now)
            raise
        if begun is not False:
            try:
                _after(self, begun, text, now)
            except Exception as fault:
                if not guard.caught(fault):
                    raise


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


def _told(exchange: Exchange | None, text: str | None, now: int) -> Exchange | None | Literal[False]:
    # Any frame but a further chunk: False where there is nothing to be done after it was sent.
    if exchange is None or text is None or not text.startswith(exchange.head):
        return None
    return exchange if exchange.update(now, text) else False


def _after(connection: Connection, begun: Exchange | None, text: str | None, now: int) -> None:
    if text is None or connection.over:
        return
    if begun is not None:
        connection.first_chunk(begun, text)
    else:
        connection.sent(text, now)
