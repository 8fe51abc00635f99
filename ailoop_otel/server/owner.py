"""For whom the inside of the server works: a message, or a task of an agent in the background."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span

from ailoop_otel.recording.spans import context_of
from ailoop_otel.tracking.current import current_exchange
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.tracking.spent import Spent


class Errand:
    """One task of a background agent: it has model calls and tools as a message has, but no client that waits."""

    __slots__ = (
        "context", "cut", "ended", "error_type", "failed", "left", "model", "session_id", "span", "spent",
        "tools_running", "waiting_for",
    )  # fmt: skip

    def __init__(self, span: Span, session_id: str | None) -> None:
        self.span = span
        self.context: Context = context_of(span)
        self.session_id = session_id
        self.ended = False
        self.failed = False
        self.cut = False
        self.left = 0
        self.error_type: str | None = None
        self.model: str | None = None
        self.waiting_for = "server"
        self.tools_running = 0
        self.spent: Spent | None = None  # the span's children tell


Owner = Exchange | Errand

# The task that the running code works for; a background agent's context is otherwise that of whoever made it.
ERRAND: Final[ContextVar[Errand | None]] = ContextVar("ailoop_otel_errand", default=None)


def current_owner() -> Owner | None:
    """The task or else the message, still open, that the running code works for."""
    errand = ERRAND.get()
    return errand if errand is not None and not errand.ended else current_exchange()
