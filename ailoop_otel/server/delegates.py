"""The earlier generation: a session's background task says itself which message it takes up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry.context import attach

from ailoop_otel.server.inside import Host, Inside, error_name, failed
from ailoop_otel.tracking.current import CURRENT, current_exchange
from ailoop_otel.tracking.exchange import Exchange

_TAKEN_UP: Final = "ai_loop.message.user_processed"
_FAILED: Final = "ai_loop.error"


class Inboxes:
    """The messages that were handed to each AI loop and that it has not taken up yet; and the one it answers."""

    def __init__(self) -> None:
        self._waiting: WeakKeyDictionary[Any, deque[Exchange]] = WeakKeyDictionary()
        self._answering: WeakKeyDictionary[Any, Exchange] = WeakKeyDictionary()

    def hand_over(self, loop: Any, exchange: Exchange) -> None:
        """A message was put into a loop's queue."""
        self._waiting.setdefault(loop, deque()).append(exchange)

    def take_up(self, loop: Any) -> Exchange | None:
        """The loop begins with the next message; the one before, if it is still open, will not be answered."""
        waiting = self._waiting.get(loop)
        exchange = waiting.popleft() if waiting else None
        before = self._answering.pop(loop, None)
        if before is not None and not before.ended:
            before.finish(before, before.telemetry.clock.now())
        if exchange is None or exchange.ended:
            return None
        self._answering[loop] = exchange
        return exchange


def hand_over_hook(host: Host, inboxes: Inboxes) -> Callable[..., Any]:
    """Wraps a session's `send_user_message`, which only puts the message into the loop's queue."""

    async def send(wrapped: Callable[..., Any], session: Any, args: Any, kwargs: Any) -> Any:
        with host.guard:
            exchange = current_exchange()
            loop = getattr(getattr(session, "interactive_ai", None), "ai_loop", None)
            if host.inside() is not None and exchange is not None and loop is not None:
                inboxes.hand_over(loop, exchange)
        return await wrapped(*args, **kwargs)

    return send


def event_hook(host: Host, inboxes: Inboxes) -> Callable[..., Any]:
    """Wraps `invoke_notification`, which runs in the session's own task: what is set in its context stays there."""

    async def invoke(wrapped: Callable[..., Any], manager: Any, args: Any, kwargs: Any) -> Any:
        with host.guard:
            inside = host.inside()
            sender, event, data = _arguments(args, kwargs)
            if inside is not None and event == _TAKEN_UP:
                _take_up(inside, inboxes, sender)
            elif inside is not None and event == _FAILED:
                _fail(data)
        return await wrapped(*args, **kwargs)

    return invoke


def _arguments(args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    given = dict(zip(("sender", "event_type", "event_data"), args, strict=False)) | kwargs
    return given.get("sender"), given.get("event_type"), given.get("event_data")


def _take_up(inside: Inside, inboxes: Inboxes, loop: Any) -> None:
    exchange = inboxes.take_up(loop)
    CURRENT.set(exchange)
    attach(inside.parent(exchange))
    if exchange is not None:
        exchange.correlation = "server"
        inside.spent(exchange)


def _fail(fault: Any) -> None:
    exchange = current_exchange()
    # Its own time-out is a text and no exception; the notice to the client tells it.
    if isinstance(fault, BaseException) and exchange is not None:
        failed(exchange, error_name(fault))
