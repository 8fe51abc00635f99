"""Agents in the background: each of their tasks is a trace of its own, linked to its session and to who asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry.context import attach, get_current
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from ailoop_otel import names
from ailoop_otel.protocol.frame import harmless
from ailoop_otel.recording.telemetry import SHORTEST, Attributes
from ailoop_otel.server.agents import about
from ailoop_otel.server.inside import Host, Inside
from ailoop_otel.server.owner import ERRAND, Errand
from ailoop_otel.tracking.current import CALLER, CURRENT

# The server's own queue of an agent holds no more.
_MOST_ASKED: Final = 100

# The session whose background agent looks for mail, while it does.
LOOKING: Final[ContextVar[str | None]] = ContextVar("ailoop_otel_looking", default=None)

_Asked = deque[tuple[str, SpanContext]]


class Managers:
    """Each session's manager of background agents: the session's id, and who asked for the tasks that wait."""

    def __init__(self) -> None:
        self._sessions: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._asked: WeakKeyDictionary[Any, dict[str, _Asked]] = WeakKeyDictionary()

    def belongs(self, manager: Any, session_id: str) -> None:
        """A manager was made for a session, or is asked for again."""
        self._sessions[manager] = session_id

    def session_of(self, manager: Any) -> str | None:
        """The id of a manager's session."""
        return self._sessions.get(manager)

    def ask(self, manager: Any, agent: str, prompt: str, asker: SpanContext) -> None:
        """Somebody is about to queue a task."""
        self._asked.setdefault(manager, {}).setdefault(agent, deque(maxlen=_MOST_ASKED)).append((prompt, asker))

    def asker(self, manager: Any, agent: str, prompt: Any) -> SpanContext | None:
        """Who queued the task that begins; known by its prompt, which is the same object from queue to agent."""
        waiting = self._asked.get(manager, {}).get(agent)
        if not waiting or not any(asked is prompt for asked, _ in waiting):
            return None
        while waiting:
            asked, asker = waiting.popleft()
            if asked is prompt:
                return asker
        return None


def manager_hook(host: Host, managers: Managers) -> Callable[..., Any]:
    """Wraps `_get_or_create_manager`: only here a manager and its session are seen together."""

    async def get(wrapped: Callable[..., Any], endpoints: Any, args: Any, kwargs: Any) -> Any:
        manager = await wrapped(*args, **kwargs)
        with host.guard:
            session_id = harmless(_argument(args, kwargs, 0, "session_id"))
            if host.inside() is not None and session_id is not None:
                managers.belongs(manager, session_id)
        return manager

    return get


def ask_hook(host: Host, managers: Managers) -> Callable[..., Any]:
    """Wraps `send_task_to_agent`, which only puts the task into the agent's queue."""

    async def send(wrapped: Callable[..., Any], manager: Any, args: Any, kwargs: Any) -> Any:
        with host.guard:
            agent, prompt = _argument(args, kwargs, 0, "agent_id"), _argument(args, kwargs, 1, "prompt")
            caller = CALLER.get()
            if host.inside() is not None and caller is not None and agent in manager.sessions:
                managers.ask(manager, agent, prompt, caller)
        return await wrapped(*args, **kwargs)

    return send


def task_hook(host: Host, managers: Managers) -> Callable[..., Any]:
    """Wraps `_process_task`, which runs in the agent's own task and tells a failure to nobody but the log."""

    async def process(wrapped: Callable[..., Any], manager: Any, args: Any, kwargs: Any) -> Any:
        work: Work | None = None
        with host.guard:
            work = _begin(host, managers, manager, args, kwargs)
        if work is None:
            return await wrapped(*args, **kwargs)
        raised = False
        try:
            return await wrapped(*args, **kwargs)
        except BaseException:
            raised = True
            raise
        finally:
            with host.guard:
                work.end("cancelled" if raised else None)

    return process


def look_hook(host: Host, managers: Managers) -> Callable[..., Any]:
    """Wraps `_check_mail_async`, so that mail it finds is known to be the session's."""

    async def look(wrapped: Callable[..., Any], manager: Any, args: Any, kwargs: Any) -> Any:
        LOOKING.set(managers.session_of(manager))
        try:
            return await wrapped(*args, **kwargs)
        finally:
            LOOKING.set(None)

    return look


class Work:
    """A background agent at work on one task, and the context that it has meanwhile."""

    __slots__ = ("_agent", "_before", "_began", "_errors", "_inside", "errand")

    def __init__(self, inside: Inside, agent: Any, errand: Errand, began: int) -> None:
        self._inside = inside
        self._agent = agent
        self._began = began
        self._errors = _errors(agent)
        self._before = (ERRAND.get(), CURRENT.get(), CALLER.get(), get_current())
        self.errand = errand
        ERRAND.set(errand)
        # Whoever made the agent has nothing to do with its tasks.
        CURRENT.set(None)
        CALLER.set(errand.span.get_span_context())
        attach(errand.context)

    def end(self, error: str | None) -> None:
        """The task is done; the server counts what it catches, and keeps the exception to itself."""
        errand, telemetry = self.errand, self._inside.telemetry
        errand.ended = True
        outer, exchange, caller, context = self._before
        ERRAND.set(outer)
        CURRENT.set(exchange)
        CALLER.set(caller)
        attach(context)
        error = error or errand.error_type or (names.OTHER if _errors(self._agent) > self._errors else None)
        if error is not None:
            errand.span.set_attribute(names.ERROR_TYPE, error)
            errand.span.set_status(Status(StatusCode.ERROR))
        errand.span.end(max(telemetry.clock.now(), self._began + SHORTEST) + errand.offset)


def _begin(host: Host, managers: Managers, manager: Any, args: Any, kwargs: Any) -> Work | None:
    inside = host.inside()
    agent, task = _argument(args, kwargs, 0, "session"), _argument(args, kwargs, 1, "task")
    agent_id = harmless(getattr(agent, "agent_id", None))
    if inside is None or agent_id is None or not isinstance(task, dict):
        return None
    telemetry = inside.telemetry
    session_id = managers.session_of(manager)
    attributes: Attributes = about(agent_id, getattr(agent, "agent", None), session_id)
    attributes[names.TASK_TYPE] = harmless(task.get("type")) or "user"
    session = inside.sessions.link(session_id) if session_id is not None else None
    asker = managers.asker(manager, agent_id, task.get("prompt"))
    links = [link for link in (session, Link(asker) if asker is not None else None) if link is not None]
    began, offset = telemetry.clock.now(), inside.offset(None)
    span = telemetry.start_span(f"{names.SPAN_AGENT} {agent_id}", began + offset, attributes, links=links)
    return Work(inside, agent, Errand(span, offset, session_id), began)


def _errors(agent: Any) -> int:
    count = getattr(agent, "error_count", 0)
    return count if isinstance(count, int) else 0


def _argument(args: Any, kwargs: Any, position: int, name: str) -> Any:
    return args[position] if len(args) > position else kwargs.get(name)
