"""The two functions that stand between the application and its WebSocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import set_span_in_context

from ailoop_otel.exchange import CALLER, CURRENT, Exchange
from ailoop_otel.wire.connection import Connection

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def observed_receive(connection: Connection, receive: Receive) -> Receive:
    """`receive` with each message told to the connection; the message is passed on as it is.

    What the message's handler does finds its exchange in the context. The context is set anew at each call and no
    token is ever given back: the handler may hand the context to tasks that outlive it.
    """
    telemetry = connection.wire.telemetry
    guard = telemetry.guard
    clock = telemetry.clock
    base = get_current()

    async def observed() -> Message:
        with guard:
            enter_base(base)
            if not connection.over:
                connection.awaiting(clock.now())
        message = await receive()
        with guard:
            if not connection.over:
                arrived(connection, message, clock.now(), base)
        return message

    return observed


def enter_base(base: Context) -> None:
    """Between two messages nothing is current but what was before the first."""
    CURRENT.set(None)
    CALLER.set(None)
    attach(base)


def arrived(connection: Connection, message: Message, now: int, base: Context) -> None:
    """Tell the connection of a message that the application is about to get."""
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
            attach(set_span_in_context(call.span, base))
    elif kind == "websocket.disconnect":
        connection.disconnected(message.get("code") or 1005, now)


def observed_send(connection: Connection, send: Send) -> Send:  # noqa: C901 - one function is what is cheap
    """`send` with each frame told to the connection; the frame is passed on as it is.

    Nearly all frames are chunks, and a chunk must cost next to nothing: what can wait is done after the frame was
    sent, the barrier before it is spelled out, since a context manager would cost as much as all the rest, and what
    `Exchange.update` would do with a further chunk is done here.
    """
    telemetry = connection.wire.telemetry
    guard = telemetry.guard
    now_of = telemetry.clock.now
    current = CURRENT.get

    def barrier(fault: Exception) -> None:
        if not guard.caught(fault):
            raise fault

    def other(exchange: Exchange | None, text: str | None, now: int) -> Exchange | None | Literal[False]:
        if exchange is None or text is None or not text.startswith(exchange.head):
            return None
        return exchange if exchange.update(now, text) else False

    def after(exchange: Exchange | None, text: str | None, now: int) -> None:
        if text is None or connection.over:
            return
        if exchange is not None:
            connection.first_chunk(exchange, text)
        else:
            connection.sent(text, now)

    async def observed(message: Message) -> None:
        try:
            now = now_of()
            try:
                text = message["text"]
            except KeyError:
                text = None  # a handshake, a closing, or bytes
            exchange = current()
            if (
                exchange is not None
                and text is not None
                # A further chunk: comparing is half as dear as `startswith`, and tells empty frames apart as well.
                and exchange.further <= text < exchange.beyond
                and (size := len(text)) > exchange.frame_size
            ):
                exchange.frame_size = size
                exchange.stream_size += size
                exchange.repeated = False
                if now - exchange.last > exchange.max_gap:
                    exchange.max_gap = now - exchange.last
                exchange.last = now
                exchange.chunks += 1
                begun: Exchange | None | Literal[False] = False
            else:
                begun = other(exchange, text, now)
        except Exception as fault:  # noqa: BLE001 - the barrier, without a context manager's cost
            barrier(fault)
            now, text, begun = 0, None, False
        try:
            await send(message)
        except Exception:
            # Not where it was cancelled: the client is still there.
            with guard:
                connection.failed(text, now)
            raise
        if begun is False:
            return
        with guard:
            after(begun, text, now)

    return observed
