"""Agents: one span for one agent's work on one message, however many rounds it takes; and switches between agents."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry.context import attach, get_current
from opentelemetry.trace import set_span_in_context

from ailoop_otel import names
from ailoop_otel.protocol.foreign import display_name, harmless
from ailoop_otel.recording.telemetry import Attributes
from ailoop_otel.server.hooks import End, HookContext, HookHost, error_name, failed, observed
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.tracking.usage import AgentWork


class Invocation:
    """One agent's work on one message; `rounds` counts how often the server let it answer."""

    __slots__ = ("_before", "_hooks", "_outer", "_outer_work", "agent", "exchange", "rounds", "work")

    def __init__(self, hooks: HookContext, exchange: Exchange, session: Any, agent: str) -> None:
        telemetry = hooks.telemetry
        self._hooks = hooks
        self.exchange = exchange
        self.agent = agent
        self.rounds = 1
        name = agent_name(agent, getattr(session, "agents", {}).get(agent))
        exchange.agent = exchange.agent or name
        self._outer, self._before = _CURRENT.get(), get_current()
        began, attributes = telemetry.clock.now(), agent_attributes(name, exchange.session_id)
        span = telemetry.start_span(f"{names.SPAN_AGENT} {name}", began + exchange.offset, attributes, self._before)
        self.work = AgentWork(name, span, began, exchange.offset)
        self._outer_work, exchange.work = exchange.work, self.work
        _CURRENT.set(self)
        attach(set_span_in_context(span))

    def end(self, result: Any, raised: type[BaseException] | None) -> None:
        """The agent has finished with the message."""
        _CURRENT.set(self._outer)
        # Set again and not detached: a token is valid only in the context that it was made in.
        attach(self._before)
        error = raised.__name__ if raised is not None else _error_of(result)
        if error is not None and not self.exchange.cut:
            failed(self.exchange, error)
        self.exchange.work = self._outer_work
        self.work.end(self._hooks.telemetry, error, {names.AGENT_ROUNDS: self.rounds})


_CURRENT: Final[ContextVar[Invocation | None]] = ContextVar("ailoop_otel_agent", default=None)


def message_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `send_user_message`: it calls itself for a continuation and for an agent that is switched to."""
    return observed(host, _begin)


def switch_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `switch_agent`: a switch is recorded as an event, in the trace of its exchange if there is one."""

    def begin(hooks: HookContext, session: Any, args: Any, kwargs: Any) -> End:
        before = getattr(session, "active_agent", None)

        def end(result: Any, raised: type[BaseException] | None) -> None:
            after = harmless(getattr(session, "active_agent", None))
            if raised is None and after is not None and after != before:
                _record_switch(hooks, session, after)

        return end

    return observed(host, begin)


def agent_name(agent_id: str, agent: Any) -> str:
    """What an agent is called: its display name, else its id; `agent` is the server's own object."""
    return display_name(getattr(getattr(agent, "config", None), "name", None)) or agent_id


def agent_attributes(name: str, session_id: str | None) -> Attributes:
    """The attributes of an agent's span."""
    attributes: Attributes = {names.GEN_AI_OPERATION: names.SPAN_AGENT, names.GEN_AI_AGENT_NAME: name}
    if session_id is not None:
        attributes[names.SESSION_ID] = attributes[names.GEN_AI_CONVERSATION] = session_id
    return attributes


def _begin(hooks: HookContext, session: Any, args: Any, kwargs: Any) -> End | None:
    exchange, outer = hooks.exchange(), _CURRENT.get()
    agent = harmless(getattr(session, "active_agent", None))
    if exchange is None or agent is None or exchange.command:
        return None
    if outer is not None and outer.exchange is exchange and outer.agent == agent:
        outer.rounds += 1
        return None
    return Invocation(hooks, exchange, session, agent).end


def _error_of(result: Any) -> str | None:
    error = result.get("error") if isinstance(result, dict) else None
    return error_name(error) if error else None


def _record_switch(hooks: HookContext, session: Any, agent: str) -> None:
    exchange = hooks.exchange()
    attributes: Attributes = {names.GEN_AI_AGENT_NAME: agent_name(agent, getattr(session, "agents", {}).get(agent))}
    if (session_id := harmless(getattr(session, "session_id", None))) is not None:
        attributes[names.SESSION_ID] = session_id
    hooks.event(names.EVENT_AGENT_SWITCH, attributes, hooks.parent(exchange), exchange)
