"""What every hook inside the server needs: the telemetry, whom the running code works for, and one clock per trace."""

from __future__ import annotations

from collections.abc import Callable, Set
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import SpanContext

from ailoop_otel.guard import Guard
from ailoop_otel.recording.spans import EMPTY
from ailoop_otel.recording.telemetry import Attributes, Telemetry
from ailoop_otel.server.content.capture import ContentCapture, capture
from ailoop_otel.server.prices import prices_in
from ailoop_otel.tracking.exchange import Exchange, TimeBreakdown, current_exchange
from ailoop_otel.tracking.sessions import Ledger, Session

if TYPE_CHECKING:
    from ailoop_otel.server.tasks import BackgroundTask


# What the inside of the server works for: an exchange, or a task of a background agent.
Owner: TypeAlias = "Exchange | BackgroundTask"

# The background task that the running code works for; such code has the context of the call that made the agent.
CURRENT_TASK: Final[ContextVar[BackgroundTask | None]] = ContextVar("ailoop_otel_background_task", default=None)


class HookContext:
    """The telemetry that hooks record with, and what they need of the wire.

    `exchanges` are those that are open, `sessions` those of the process; `remote_span` reads a `traceparent`.
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
        self.content: ContentCapture | None = capture(telemetry.settings, telemetry.guard, telemetry.end_span)
        self.prices = prices_in(telemetry.settings.prices)

    # --- Whom the running code works for -------------------------------------------------------------------
    def exchange(self) -> Exchange | None:
        """The exchange that the running code works for; from now on it is recorded where its time goes."""
        exchange = current_exchange()
        if exchange is not None:
            self.breakdown(exchange)
        return exchange

    def owner(self) -> Owner | None:
        """The open background task that the running code works for, or else its exchange."""
        task = CURRENT_TASK.get()
        return task if task is not None and not task.ended else self.exchange()

    def breakdown(self, exchange: Exchange) -> TimeBreakdown:
        """The record of where an exchange's time goes; made if there is none."""
        if exchange.breakdown is None:
            exchange.breakdown = TimeBreakdown()
            exchange.breakdown.lag_before = self.telemetry.lag
            exchange.breakdown.garbage = -self.telemetry.collecting
        return exchange.breakdown

    def parent(self, exchange: Exchange | None) -> Context:
        """The parent of a span that has none nearer than its exchange; without an exchange the span is a root."""
        return exchange.context if exchange is not None else EMPTY

    # --- One clock per trace -------------------------------------------------------------------------------
    def offset(self, owner: Owner | Session | None) -> int:
        """What makes a monotonic time a time since the epoch in the owner's trace, nanoseconds.

        It is read once per trace, so that a step of the wall clock moves no span out of its parent. Without an owner a
        trace begins now: the caller keeps the value for all of that trace.
        """
        return owner.offset if owner is not None else self.telemetry.offset()

    def event(self, name: str, attributes: Attributes, context: Context, owner: Owner | Session | None) -> None:
        """Emit a log event now, in the owner's trace, at the place in it that `context` gives."""
        time = self.telemetry.clock.now() + self.offset(owner)
        self.telemetry.event(name, time, attributes, context)

    # --- The end -------------------------------------------------------------------------------------------
    def settle(self, timeout: float, *, for_good: bool = False) -> None:
        """End the spans that wait for their content, within `timeout` seconds; `for_good` if none will follow."""
        if self.content is not None:
            finisher = self.content.finisher
            (finisher.stop if for_good else finisher.drain)(timeout)


class HookHost(Protocol):
    """The process that hooks are in, as far as they need it."""

    guard: Guard

    def hook_context(self) -> HookContext | None:
        """What hooks record with; None while switched off or not set up."""


# Called with the result of a hooked call, or None and the class of what it raised.
End = Callable[[Any, "type[BaseException] | None"], None]


def observed(host: HookHost, begin: Callable[[HookContext, Any, Any, Any], End | None]) -> Callable[..., Any]:
    """Wraps a coroutine function: `begin` gets the instance and the arguments of each call.

    What it returns is called when the call is done, in the same context; None where that does not matter.
    """

    async def call(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        end: End | None = None
        with host.guard:
            hooks = host.hook_context()
            if hooks is not None:
                end = begin(hooks, instance, args, kwargs)
        if end is None:
            return await wrapped(*args, **kwargs)
        result: Any = None
        # Not the exception: its traceback has this frame, which would stay until it is collected.
        raised: type[BaseException] | None = None
        try:
            result = await wrapped(*args, **kwargs)
            return result
        except BaseException as fault:
            raised = type(fault)
            raise
        finally:
            with host.guard:
                end(result, raised)

    return call


def returned(host: HookHost, record: Callable[[HookContext, Any, Any, Any], None]) -> Callable[..., Any]:
    """Wraps a plain function: `record` gets what each call has returned, and its arguments."""

    def call(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        with host.guard:
            hooks = host.hook_context()
            if hooks is not None:
                record(hooks, result, args, kwargs)
        return result

    return call


def failed(owner: Owner | None, error: str, *, cut: bool = False) -> None:
    """Note a failure inside the server on an open exchange or task; the first one is its `error.type`."""
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


def argument(args: Any, kwargs: Any, position: int, name: str) -> Any:
    """An argument of a hooked call, given by position or by name; None if it is absent."""
    return args[position] if len(args) > position else kwargs.get(name)
