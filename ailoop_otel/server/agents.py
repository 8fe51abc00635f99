"""Agents: one span for one agent's work on one message, however many rounds it takes."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry.context import attach, get_current
from opentelemetry.trace import Span, set_span_in_context

from ailoop_otel import names
from ailoop_otel.protocol.frame import harmless
from ailoop_otel.recording.telemetry import SHORTEST, Attributes
from ailoop_otel.server.inside import Host, Inside, error_name, failed
from ailoop_otel.tracking.exchange import Exchange


class Invocation:
    """One agent at work on one message; `rounds` counts how often it took it up."""

    __slots__ = ("agent", "began", "exchange", "inside", "rounds", "span")

    def __init__(self, inside: Inside, exchange: Exchange, session: Any, agent: str) -> None:
        telemetry = inside.telemetry
        self.inside = inside
        self.exchange = exchange
        self.agent = agent
        self.rounds = 1
        self.began = telemetry.clock.now()
        exchange.agent = exchange.agent or agent
        attributes = about(agent, getattr(session, "agents", {}).get(agent), exchange.session_id)
        start = self.began + exchange.offset
        self.span: Span = telemetry.start_span(f"{names.SPAN_AGENT} {agent}", start, attributes, get_current())

    def end(self, error: str | None) -> None:
        """The agent is done with the message."""
        telemetry = self.inside.telemetry
        attributes: Attributes = {names.AGENT_ROUNDS: self.rounds}
        if error is not None:
            attributes[names.ERROR_TYPE] = error
            if not self.exchange.cut:
                failed(self.exchange, error)
        end = max(telemetry.clock.now(), self.began + SHORTEST) + self.exchange.offset
        telemetry.defer(telemetry.end_span, self.span, end, attributes, error is not None)


_AT_WORK: Final[ContextVar[Invocation | None]] = ContextVar("ailoop_otel_agent", default=None)


def message_hook(host: Host) -> Callable[..., Any]:
    """Wraps `send_user_message`: it calls itself for a continuation and for an agent that is switched to."""

    async def send(wrapped: Callable[..., Any], session: Any, args: Any, kwargs: Any) -> Any:
        outer, before = _AT_WORK.get(), get_current()
        invocation: Invocation | None = None
        with host.guard:
            invocation = _begin(host, session, outer)
        if invocation is None:
            return await wrapped(*args, **kwargs)
        error: str | None = None
        try:
            result = await wrapped(*args, **kwargs)
            with host.guard:
                error = _error_of(result)
            return result
        except BaseException as fault:
            error = type(fault).__name__
            raise
        finally:
            with host.guard:
                _AT_WORK.set(outer)
                # Set again and not detached: a token is good in its own context only.
                attach(before)
                invocation.end(error)

    return send


def switch_hook(host: Host) -> Callable[..., Any]:
    """Wraps `switch_agent`: the switch is told as an event of the exchange that it happens in."""

    async def switch(wrapped: Callable[..., Any], session: Any, args: Any, kwargs: Any) -> Any:
        before = getattr(session, "active_agent", None)
        result = await wrapped(*args, **kwargs)
        with host.guard:
            inside = host.inside()
            after = harmless(getattr(session, "active_agent", None))
            exchange = inside.exchange() if inside is not None else None
            if inside is not None and after is not None and after != before:
                _tell_switch(inside, exchange, session, after)
        return result

    return switch


def _begin(host: Host, session: Any, outer: Invocation | None) -> Invocation | None:
    inside = host.inside()
    exchange = inside.exchange() if inside is not None else None
    agent = harmless(getattr(session, "active_agent", None))
    if inside is None or exchange is None or agent is None or exchange.command:
        return None
    if outer is not None and outer.exchange is exchange and outer.agent == agent:
        outer.rounds += 1
        return None
    invocation = Invocation(inside, exchange, session, agent)
    _AT_WORK.set(invocation)
    attach(set_span_in_context(invocation.span))
    return invocation


def _error_of(result: Any) -> str | None:
    error = result.get("error") if isinstance(result, dict) else None
    return error_name(error) if error else None


def about(agent_id: str, agent: Any, session_id: str | None) -> Attributes:
    """What the span of an agent at work says of it; `agent` is the server's own object."""
    attributes: Attributes = {names.GEN_AI_OPERATION: names.SPAN_AGENT, names.GEN_AI_AGENT_ID: agent_id}
    if session_id is not None:
        attributes[names.SESSION_ID] = attributes[names.GEN_AI_CONVERSATION] = session_id
    name = getattr(getattr(agent, "config", None), "name", None)
    if isinstance(name, str) and len(name) <= 64:
        attributes[names.GEN_AI_AGENT_NAME] = name
    return attributes


def _tell_switch(inside: Inside, exchange: Exchange | None, session: Any, agent: str) -> None:
    attributes: Attributes = {names.GEN_AI_AGENT_ID: agent}
    if (session_id := harmless(getattr(session, "session_id", None))) is not None:
        attributes[names.SESSION_ID] = session_id
    telemetry = inside.telemetry
    telemetry.event(names.EVENT_AGENT_SWITCH, telemetry.clock.wall(), attributes, inside.parent(exchange))
