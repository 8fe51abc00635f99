"""Tools called by the Model Context Protocol: the server's own, by other clients; other servers', by its client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

import wrapt
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanKind

from ailoop_otel import names
from ailoop_otel.protocol.foreign import harmless
from ailoop_otel.recording.internals import is_known_tool, request_context
from ailoop_otel.recording.spans import EMPTY, context_of
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes, failure
from ailoop_otel.server.hooks import End, HookContext, HookHost, Owner, argument, observed
from ailoop_otel.server.tools import error_of

# The `error.type` that OpenTelemetry's MCP conventions have for a result with `isError`.
_FAILED: Final = "tool_error"
_UNKNOWN: Final = "unknown_tool"
_CANCELLED: Final = "cancelled"


class ToolRequest:
    """One `tools/call`, as its client or its server sees it: CLIENT or SERVER is its `kind`."""

    __slots__ = ("_before", "_began", "_hooks", "_kind", "_offset", "_outer", "error", "span", "tool")

    def __init__(
        self,
        hooks: HookContext,
        owner: Owner | None,
        tool: str,
        kind: SpanKind,
        attributes: Attributes,
        parent: Context,
        links: list[Link],
    ) -> None:
        telemetry = hooks.telemetry
        self._hooks = hooks
        self._offset = hooks.offset(owner)
        self._kind = kind
        self._began = telemetry.clock.now()
        self._before = get_current()
        self.tool = tool
        self.error: str | None = None  # of the tool itself, whatever the reply is
        attributes |= {
            names.MCP_METHOD: names.SPAN_MCP,
            names.GEN_AI_OPERATION: names.SPAN_TOOL,
            names.GEN_AI_TOOL_NAME: tool,
        }
        start = self._began + self._offset
        self.span: Span = telemetry.start_span(f"{names.SPAN_MCP} {tool}", start, attributes, parent, kind, links)
        attach(context_of(self.span))
        self._outer = _CURRENT_REQUEST.get()
        _CURRENT_REQUEST.set(self)

    def end(self, result: Any, raised: type[BaseException] | None) -> None:
        """End it: it was replied to, or failed."""
        _CURRENT_REQUEST.set(self._outer)
        telemetry = self._hooks.telemetry
        error = self._error_of(result, raised)
        attach(self._before)
        known = failure(error)
        labels = known | {names.MCP_METHOD: names.SPAN_MCP, names.GEN_AI_TOOL_NAME: self.tool}
        now = max(telemetry.clock.now(), self._began + SHORTEST)
        instrument = telemetry.mcp_server if self._kind is SpanKind.SERVER else telemetry.mcp_client
        instrument.record((now - self._began) / SECOND, labels, context_of(self.span))
        telemetry.end_span(self.span, now + self._offset, known, error is not None)

    def _error_of(self, result: Any, raised: type[BaseException] | None) -> str | None:
        if raised is None:
            return self.error or (_FAILED if isinstance(result, dict) and result.get("isError") else None)
        if not issubclass(raised, Exception):
            return _CANCELLED
        name = _FAILED if raised.__name__ == "ToolError" else raised.__name__
        return _UNKNOWN if self.tool == names.OTHER else name


# The call that the running code works for.
_CURRENT_REQUEST: Final[ContextVar[ToolRequest | None]] = ContextVar("ailoop_otel_mcp", default=None)


class ObservedTool(wrapt.ObjectProxy):  # type: ignore[type-arg]  # no generic in older wrapt
    """A tool whose results are observed where it returns them: the MCP server makes one text of each."""

    @property
    def execute(self) -> Any:
        """The tool's own `execute`, still a coroutine function if it was one."""
        return wrapt.FunctionWrapper(self.__wrapped__.execute, _observe)


def _observe(wrapped: Callable[..., Any], tool: Any, args: Any, kwargs: Any) -> Any:
    request = _CURRENT_REQUEST.get()
    if request is None:
        return wrapped(*args, **kwargs)
    try:
        result = wrapped(*args, **kwargs)
    except Exception as fault:
        request.error = type(fault).__name__
        raise
    if isinstance(result, Awaitable):
        return _awaited(request, result)
    request.error = error_of(result)
    return result


async def _awaited(request: ToolRequest, pending: Awaitable[Any]) -> Any:
    try:
        result = await pending
    except Exception as fault:
        request.error = type(fault).__name__
        raise
    request.error = error_of(result)
    return result


def register_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `FastMCPServer._register_tool`: the only place that gets the tool itself."""

    async def register(wrapped: Callable[..., Any], server: Any, args: Any, kwargs: Any) -> Any:
        with host.guard:
            if len(args) > 1:
                args = (args[0], ObservedTool(args[1]), *args[2:])
            elif "tool" in kwargs:
                kwargs = kwargs | {"tool": ObservedTool(kwargs["tool"])}
        return await wrapped(*args, **kwargs)

    return register


def served_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `FastMCP.call_tool`, which runs in the MCP server's own thread, in an empty context."""
    return observed(host, _served)


def called_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `MCPClient.call_tool`."""
    return observed(host, _called)


def _served(hooks: HookContext, server: Any, args: Any, kwargs: Any) -> End:
    name = argument(args, kwargs, 0, "name")
    known = is_known_tool(server, name)
    attributes: Attributes = {names.NETWORK_TRANSPORT: "tcp"}
    parent, links = EMPTY, []
    request = request_context(server)
    if (request_id := harmless(getattr(request, "request_id", None))) is not None:
        attributes[names.JSONRPC_ID] = request_id
    client = hooks.remote_span(getattr(getattr(request, "meta", None), "traceparent", None))
    if client is not None and hooks.telemetry.settings.trust_client:
        parent = context_of(NonRecordingSpan(client))
    elif client is not None:
        links.append(Link(client))
        attributes[names.CLIENT_TRACE_ID] = f"{client.trace_id:032x}"
    tool = (harmless(name) if known else None) or names.OTHER
    return ToolRequest(hooks, None, tool, SpanKind.SERVER, attributes, parent, links).end


def _called(hooks: HookContext, client: Any, args: Any, kwargs: Any) -> End:
    name = argument(args, kwargs, 0, "name")
    owner = hooks.owner()
    attributes: Attributes = {}
    if owner is not None and owner.session_id is not None:
        attributes[names.SESSION_ID] = owner.session_id
    parent = get_current() if owner is not None else EMPTY
    tool = (harmless(name) if name in client.tools else None) or names.OTHER
    return ToolRequest(hooks, owner, tool, SpanKind.CLIENT, attributes, parent, []).end
