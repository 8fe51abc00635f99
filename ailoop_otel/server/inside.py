"""What the hooks inside the server share."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import SpanContext

from ailoop_otel.guard import Guard
from ailoop_otel.recording.spans import EMPTY
from ailoop_otel.recording.telemetry import Attributes, Telemetry
from ailoop_otel.server.content import Content, capture
from ailoop_otel.server.owner import Owner, current_owner
from ailoop_otel.tracking.current import current_exchange
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.tracking.sessions import Ledger
from ailoop_otel.tracking.spent import Spent


class Traced(Protocol):
    """What has a trace: an exchange, a background agent's task, a session."""

    @property
    def offset(self) -> int:
        """Wall clock minus monotonic clock, nanoseconds, as they were when the trace began."""


class Inside:
    """The telemetry to record with, and what is the wire's: the open exchanges, the sessions, what clients send along.

    `remote_span` reads a `traceparent`.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        exchanges: Set[Exchange],
        sessions: Ledger,
        remote_span: Callable[[Any], SpanContext | None],
    ) -> None:
        self.telemetry = telemetry
        self.exchanges = exchanges
        self.sessions = sessions
        self.remote_span = remote_span
        self.content: Content | None = capture(telemetry.settings, telemetry.guard)

    def exchange(self) -> Exchange | None:
        """The exchange that the running code works for, ready to be told where its time goes."""
        exchange = current_exchange()
        if exchange is not None:
            self.spent(exchange)
        return exchange

    def owner(self) -> Owner | None:
        """As `exchange`, and before that the background agent's task that the running code works for."""
        owner = current_owner()
        if isinstance(owner, Exchange):
            self.spent(owner)
        return owner

    def offset(self, traced: Traced | None) -> int:
        """What makes a monotonic time a time since the epoch in the trace of `traced`, nanoseconds.

        The clocks are read once per trace, so that a step of the wall clock moves no span out of its parent. Without
        `traced` a trace begins now: its owner keeps the value.
        """
        return traced.offset if traced is not None else self.telemetry.offset()

    def event(self, name: str, attributes: Attributes, context: Context, traced: Traced | None) -> None:
        """Emit a log event now, in the trace of `traced`, whose `context` is given."""
        wall = self.telemetry.clock.now() + self.offset(traced)
        self.telemetry.event(name, wall, attributes, context)

    def spent(self, exchange: Exchange) -> Spent:
        """Where an exchange's time goes."""
        if exchange.spent is None:
            exchange.spent = Spent()
            exchange.spent.lag_before = self.telemetry.lag
        return exchange.spent

    def settle(self, timeout: float, *, for_good: bool = False) -> None:
        """End the spans that wait for their content; `for_good` when none will come any more."""
        if self.content is not None:
            desk = self.content.desk
            (desk.stop if for_good else desk.drain)(timeout)

    def parent(self, exchange: Exchange | None) -> Context:
        """Whose child a span is that an exchange has nothing nearer for; without one it is a root."""
        return exchange.context if exchange is not None else EMPTY


class Host(Protocol):
    """What the hooks need of the process that they are in."""

    guard: Guard

    def inside(self) -> Inside | None:
        """What the hooks share; None while switched off or not set up."""


def failed(owner: Owner | None, error: str, *, cut: bool = False) -> None:
    """Tell an exchange or a task of a failure inside the server; the first one is its `error.type`."""
    if owner is None or owner.ended:
        return
    owner.error_type = owner.error_type or error
    if cut:
        owner.cut = True
    else:
        owner.failed = True


def error_name(fault: object) -> str:
    """The `error.type` of what the server returns as an error: an exception's class, or nothing of its text."""
    return type(fault).__name__ if isinstance(fault, BaseException) else "_OTHER"
