"""Background agents: each of their tasks is a trace of its own, linked to its session and to who queued it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry.context import attach, get_current
from opentelemetry.trace import Link, SpanContext

from ailoop_otel import names
from ailoop_otel.protocol.foreign import display_name, harmless
from ailoop_otel.recording.spans import context_of
from ailoop_otel.server.agents import agent_attributes, agent_name
from ailoop_otel.server.hooks import CURRENT_TASK, End, HookContext, HookHost, argument, observed
from ailoop_otel.tracking.exchange import CALLER, CURRENT, TimeBreakdown
from ailoop_otel.tracking.sessions import Session
from ailoop_otel.tracking.usage import AgentWork, Usage

# The server's own queue of an agent holds no more.
_MOST_QUEUED: Final = 100

# The session whose background agent is looking for mail.
MAIL_SESSION: Final[ContextVar[str | None]] = ContextVar("ailoop_otel_mail_session", default=None)

_Queued = deque[tuple[str, SpanContext]]


# For each manager of background agents: its session's id, and the calls that queued the tasks that wait, by agent.
_SESSIONS: Final[WeakKeyDictionary[Any, str]] = WeakKeyDictionary()
_QUEUED: Final[WeakKeyDictionary[Any, dict[str, _Queued]]] = WeakKeyDictionary()


class BackgroundTask:
    """One task of a background agent: like an exchange it has model calls and tools, but no client that waits.

    An `Owner`. The code that runs has its context from `begin` to `end`.
    """

    __slots__ = (
        "_agent", "_before", "_errors", "_hooks", "breakdown", "cut", "ended", "error_type", "failed", "left", "model",
        "offset", "session_id", "tools_running", "usage", "waiting_for", "work",
    )  # fmt: skip

    def __init__(self, hooks: HookContext, agent: Any, work: AgentWork, offset: int, session_id: str | None) -> None:
        self._hooks = hooks
        self._agent = agent
        self._errors = _error_count(agent)
        self.work = work
        self.usage: Usage | None = None  # of its model calls, once one has been recorded
        self.offset = offset
        self.session_id = session_id
        self.ended = False
        self.failed = False
        self.cut = False
        self.left = 0
        self.error_type: str | None = None
        self.model: str | None = None
        self.waiting_for = "server"
        self.tools_running = 0
        self.breakdown: TimeBreakdown | None = None  # the spans below it show where its time goes

    def begin(self) -> None:
        """Let what runs from now on in this context work for the task."""
        self._before = (CURRENT_TASK.get(), CURRENT.get(), CALLER.get(), get_current())
        CURRENT_TASK.set(self)
        # The exchange that the agent was made in has no part in its tasks.
        CURRENT.set(None)
        CALLER.set(self.work.span.get_span_context())
        attach(context_of(self.work.span))

    def end(self, result: Any, raised: type[BaseException] | None) -> None:
        """Restore the context and end the span; the server counts the exceptions that it catches, and drops them."""
        self.ended = True
        task, exchange, caller, context = self._before
        CURRENT_TASK.set(task)
        CURRENT.set(exchange)
        CALLER.set(caller)
        attach(context)
        error = "cancelled" if raised is not None else self.error_type
        if error is None and _error_count(self._agent) > self._errors:
            error = names.OTHER
        telemetry = self._hooks.telemetry
        self.work.end(telemetry, error, {})
        if (session := self._hooks.sessions.get(self.session_id)) is not None:
            telemetry.defer(self._add_to, session)

    def _add_to(self, session: Session) -> None:
        if self.usage is not None:
            session.used(self.usage)


def manager_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `_get_or_create_manager`: the only place where a manager and its session are seen together."""

    def begin(hooks: HookContext, endpoints: Any, args: Any, kwargs: Any) -> End | None:
        session_id = harmless(argument(args, kwargs, 0, "session_id"))
        if session_id is None:
            return None

        def end(manager: Any, raised: type[BaseException] | None) -> None:
            if raised is None:
                _SESSIONS[manager] = session_id

        return end

    return observed(host, begin)


def queue_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `send_task_to_agent`, which only puts the task into the agent's queue."""

    def begin(hooks: HookContext, manager: Any, args: Any, kwargs: Any) -> None:
        agent, prompt = argument(args, kwargs, 0, "agent_id"), argument(args, kwargs, 1, "prompt")
        caller = CALLER.get()
        if caller is not None and agent in manager.sessions:
            waiting = _QUEUED.setdefault(manager, {}).setdefault(agent, deque(maxlen=_MOST_QUEUED))
            waiting.append((prompt, caller))

    return observed(host, begin)


def task_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `_process_task`, which runs in the agent's own asyncio task and only logs a failure."""
    return observed(host, _begin)


def check_mail_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `_check_mail_async`, so that the mail it finds is known to be the session's."""

    async def check(wrapped: Callable[..., Any], manager: Any, args: Any, kwargs: Any) -> Any:
        MAIL_SESSION.set(_SESSIONS.get(manager))
        try:
            return await wrapped(*args, **kwargs)
        finally:
            MAIL_SESSION.set(None)

    return check


def _begin(hooks: HookContext, manager: Any, args: Any, kwargs: Any) -> End | None:
    agent, job = argument(args, kwargs, 0, "session"), argument(args, kwargs, 1, "task")
    agent_id = harmless(getattr(agent, "agent_id", None))
    if agent_id is None or not isinstance(job, dict):
        return None
    telemetry = hooks.telemetry
    session_id = _SESSIONS.get(manager)
    made = getattr(agent, "agent", None)
    # The configuration of an agent in the background has its id for a name; the registry knows what it is called.
    known = display_name(getattr(getattr(made, "agent_registry_info", None), "name", None))
    name = known or agent_name(agent_id, made)
    attributes = agent_attributes(name, session_id)
    attributes[names.TASK_TYPE] = harmless(job.get("type")) or "user"
    session = hooks.sessions.link(session_id) if session_id is not None else None
    caller = _take(manager, agent_id, job.get("prompt"))
    links = [link for link in (session, Link(caller) if caller is not None else None) if link is not None]
    began, offset = telemetry.clock.now(), hooks.offset(None)
    span = telemetry.start_span(f"{names.SPAN_AGENT} {name}", began + offset, attributes, links=links)
    task = BackgroundTask(hooks, agent, AgentWork(name, span, began, offset), offset, session_id)
    task.begin()
    return task.end


def _take(manager: Any, agent: str, prompt: Any) -> SpanContext | None:
    """The call that queued the task that begins; known by its prompt, the same object in queue and task."""
    waiting = _QUEUED.get(manager, {}).get(agent)
    if not waiting or not any(queued is prompt for queued, _ in waiting):
        return None
    while waiting:
        queued, caller = waiting.popleft()
        if queued is prompt:
            return caller
    return None


def _error_count(agent: Any) -> int:
    count = getattr(agent, "error_count", 0)
    return count if isinstance(count, int) else 0
