"""The earlier generation: a session's own asyncio task answers one message after the other, and announces each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry.context import attach

from ailoop_otel.server.hooks import HookContext, HookHost, argument, error_name, failed, observed
from ailoop_otel.tracking.exchange import CURRENT, Exchange, current_exchange

_BEGUN: Final = "ai_loop.message.user_processed"
_FAILED: Final = "ai_loop.error"


# For each AI loop the exchanges that wait in its queue, and the one that it answers.
_WAITING: Final[WeakKeyDictionary[Any, deque[Exchange]]] = WeakKeyDictionary()
_ANSWERED: Final[WeakKeyDictionary[Any, Exchange]] = WeakKeyDictionary()


def queue_message_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps a session's `send_user_message`, which only puts the message into the loop's queue."""

    def begin(hooks: HookContext, session: Any, args: Any, kwargs: Any) -> None:
        exchange = current_exchange()
        loop = getattr(getattr(session, "interactive_ai", None), "ai_loop", None)
        if exchange is not None and loop is not None:
            _WAITING.setdefault(loop, deque()).append(exchange)

    return observed(host, begin)


def event_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `invoke_notification`, which runs in the session's own task: what it sets in the context stays there."""

    def begin(hooks: HookContext, manager: Any, args: Any, kwargs: Any) -> None:
        event = argument(args, kwargs, 1, "event_type")
        if event == _BEGUN:
            _begin_next(hooks, argument(args, kwargs, 0, "sender"))
        elif event == _FAILED:
            _fail(argument(args, kwargs, 2, "event_data"))

    return observed(host, begin)


def _begin_next(hooks: HookContext, loop: Any) -> None:
    """The loop begins to answer its next exchange; one before it that is still open gets no answer and is ended."""
    waiting = _WAITING.get(loop)
    exchange = waiting.popleft() if waiting else None
    before = _ANSWERED.pop(loop, None)
    if before is not None and not before.ended:
        before.finish(before, before.telemetry.clock.now())
    if exchange is not None and exchange.ended:
        exchange = None
    CURRENT.set(exchange)
    attach(hooks.parent(exchange))
    if exchange is not None:
        _ANSWERED[loop] = exchange
        exchange.correlation = "server"
        hooks.breakdown(exchange)


def _fail(fault: Any) -> None:
    exchange = current_exchange()
    # Its own timeout is a text and no exception: it is known from the notice to the client.
    if isinstance(fault, BaseException) and exchange is not None:
        failed(exchange, error_name(fault))
