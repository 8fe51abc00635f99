"""For which message the running code works, as its context says."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from opentelemetry.trace import SpanContext

from ailoop_otel.tracking.exchange import Exchange

# Set when `receive()` has returned a message, so that whatever its handler does is known to be for it.
# A task made by startSession keeps startSession's context for ever: there it holds nothing, or what has ended.
CURRENT: Final[ContextVar[Exchange | None]] = ContextVar("ailoop_otel_exchange", default=None)

# The span of the call that is handled, whichever it is: never a parent, since what its handler starts may stay.
CALLER: Final[ContextVar[SpanContext | None]] = ContextVar("ailoop_otel_caller", default=None)


def current_exchange() -> Exchange | None:
    """The open exchange in whose context the running code is."""
    exchange = CURRENT.get()
    return None if exchange is None or exchange.ended else exchange
