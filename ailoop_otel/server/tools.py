"""Tools: one span for each call that the model asked for, and the exchanges that a blocking one delayed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Span, set_span_in_context

from ailoop_otel import names
from ailoop_otel.protocol.foreign import harmless
from ailoop_otel.recording.spans import context_of
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes, failure
from ailoop_otel.server.hooks import End, HookContext, HookHost, Owner, argument, failed, observed, returned

# A tool that blocks the event loop for less than this is not recorded as blocking, nanoseconds.
_NOTABLE: Final = 50_000_000
# The `error.type` of a tool that failed without raising.
_RETURNED: Final = "tool_error"
_TYPE: Final = "function"
_UNKNOWN: Final = "unknown_tool"


@dataclass(slots=True)
class ToolCall:
    """One call: from the look-up of its tool until that of the next, or until the batch is done."""

    name: str
    began: int
    span: Span
    blocking: bool
    ended: int = 0


class ToolBatch:
    """The tool calls of one model answer, which the server runs one after the other."""

    def __init__(self, hooks: HookContext, owner: Owner, wanted: list[Any]) -> None:
        self._hooks = hooks
        self._owner = owner
        self._wanted = wanted
        self._context: Context = get_current()
        self._calls: dict[int, ToolCall] = {}
        self._position = -1
        self._outer = _RUNNING.get()
        _RUNNING.set(self)
        self._work = owner.work
        self._agent: Attributes = {} if owner.work is None else {names.GEN_AI_AGENT_NAME: owner.work.name}
        owner.waiting_for = "tool"
        owner.tools_running += 1

    def looked_up(self, name: Any, tool: Any) -> None:
        """The server looks up a tool by its name: for the call that is next, unless a tool itself looks for another."""
        position = self._position + 1
        # A call without a name or with arguments that are no JSON is answered without a look-up.
        while position < len(self._wanted) and _name(self._wanted[position]) != name:
            position += 1
        if position == len(self._wanted):
            return
        self._close()
        self._position = position
        now = self._hooks.telemetry.clock.now()
        known = (harmless(name) or names.OTHER) if tool is not None else names.OTHER
        span = self._start(known, position, now)
        blocking = tool is not None and not asyncio.iscoroutinefunction(getattr(tool, "execute", None))
        if self._work is not None:
            self._work.tool_calls += 1
        self._calls[position] = ToolCall(known, now, span, blocking)
        attach(set_span_in_context(span, self._context))

    def end(self, results: Any, raised: type[BaseException] | None) -> None:
        """All calls are done; `results` are theirs, in order."""
        _RUNNING.set(self._outer)
        self._close()
        attach(self._context)
        self._owner.tools_running -= 1
        self._owner.waiting_for = "server"
        for position, call in self._calls.items():
            known = isinstance(results, list) and position < len(results)
            error = error_of(results[position]) if known else "cancelled"
            if error is not None:
                error = _UNKNOWN if call.name == names.OTHER else error
                if known:
                    failed(self._owner, error)
            content = (self._wanted[position]["function"].get("arguments"), results[position] if known else None)
            self._hooks.telemetry.defer(self._record, call, error, content if self._hooks.content else None)

    def _record(self, call: ToolCall, error: str | None, content: tuple[Any, Any] | None) -> None:
        telemetry = self._hooks.telemetry
        known = failure(error)
        labels: Attributes = {names.GEN_AI_TOOL_NAME: call.name, names.GEN_AI_TOOL_TYPE: _TYPE} | self._agent | known
        end = max(call.ended, call.began + SHORTEST)
        telemetry.tool_duration.record((end - call.began) / SECOND, labels, context_of(call.span))
        end += self._owner.offset
        if self._hooks.content is None or content is None:
            telemetry.end_span(call.span, end, known, error is not None)
        else:
            self._hooks.content.end_tool(call.span, end, content, known, error is not None)

    def _start(self, name: str, position: int, now: int) -> Span:
        attributes: Attributes = {
            names.GEN_AI_OPERATION: names.SPAN_TOOL,
            names.GEN_AI_TOOL_NAME: name,
            names.GEN_AI_TOOL_TYPE: _TYPE,
        }
        attributes |= self._agent
        if (call_id := harmless(self._wanted[position].get("id"))) is not None:
            attributes[names.GEN_AI_TOOL_CALL_ID] = call_id
        if self._owner.session_id is not None:
            attributes[names.SESSION_ID] = attributes[names.GEN_AI_CONVERSATION] = self._owner.session_id
        start = now + self._owner.offset
        return self._hooks.telemetry.start_span(f"{names.SPAN_TOOL} {name}", start, attributes, self._context)

    def _close(self) -> None:
        call = self._calls.get(self._position)
        if call is None or call.ended:
            return
        call.ended = self._hooks.telemetry.clock.now()
        took = call.ended - call.began
        if self._owner.breakdown is not None:
            self._owner.breakdown.tools += took
        if call.blocking and took > _NOTABLE:
            record_blocking(self._hooks, call.name, call.began, call.ended)


def record_blocking(hooks: HookContext, name: str, began: int, ended: int) -> None:
    """Record a tool that blocked the event loop on every exchange that was open meanwhile; times are monotonic."""
    for exchange in list(hooks.exchanges):
        overlap = ended - max(began, exchange.received)
        if overlap > 0 and not exchange.ended:
            breakdown = hooks.breakdown(exchange)
            breakdown.blocked += overlap
            breakdown.blocked_by = name


_RUNNING: Final[ContextVar[ToolBatch | None]] = ContextVar("ailoop_otel_tools", default=None)
# The batch that runs, or None: most look-ups only list what the model may call.
running_batch: Final = _RUNNING.get


def batch_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `_execute_tool_calls`, which returns failures in its list and rarely raises."""
    return observed(host, _begin)


def _begin(hooks: HookContext, loop: Any, args: Any, kwargs: Any) -> End | None:
    owner, wanted = hooks.owner(), argument(args, kwargs, 0, "tool_calls")
    return ToolBatch(hooks, owner, wanted).end if owner is not None and isinstance(wanted, list) else None


def lookup_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `get_tool_by_name`: the server looks a tool up right before it calls it."""

    def looked_up(hooks: HookContext, tool: Any, args: Any, kwargs: Any) -> None:
        batch = _RUNNING.get()
        if batch is not None:
            batch.looked_up(args[0] if args else next(iter(kwargs.values()), None), tool)

    return returned(host, looked_up)


def _name(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def error_of(result: Any) -> str | None:
    """The `error.type` of a tool's result that reports a failure; else None."""
    if not isinstance(result, dict):
        return None
    error = result.get("error")
    if isinstance(error, BaseException):
        return type(error).__name__
    return _RETURNED if error or result.get("success") is False else None
