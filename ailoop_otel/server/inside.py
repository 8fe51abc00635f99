"""What the hooks inside the server share."""

from __future__ import annotations

from collections.abc import Set
from typing import Protocol

from opentelemetry.context import Context

from ailoop_otel.exchange import Exchange, current_exchange
from ailoop_otel.guard import Guard
from ailoop_otel.server.content import Content, capture
from ailoop_otel.spent import Spent
from ailoop_otel.telemetry import EMPTY, Telemetry


class Inside:
    """The telemetry to record with, and the exchanges that are open, which are the wire's to change."""

    def __init__(self, telemetry: Telemetry, exchanges: Set[Exchange]) -> None:
        self.telemetry = telemetry
        self.exchanges = exchanges
        self.content: Content | None = capture(telemetry.settings, telemetry.guard)

    def exchange(self) -> Exchange | None:
        """The exchange that the running code works for, ready to be told where its time goes."""
        exchange = current_exchange()
        if exchange is not None:
            self.spent(exchange)
        return exchange

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


def failed(exchange: Exchange | None, error: str, *, cut: bool = False) -> None:
    """Tell an exchange of a failure inside the server; the first one is its `error.type`."""
    if exchange is None or exchange.ended:
        return
    exchange.error_type = exchange.error_type or error
    if cut:
        exchange.cut = True
    else:
        exchange.failed = True


def error_name(fault: object) -> str:
    """The `error.type` of what the server returns as an error: an exception's class, or nothing of its text."""
    return type(fault).__name__ if isinstance(fault, BaseException) else "_OTHER"
