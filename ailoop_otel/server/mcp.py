"""Tools called by the Model Context Protocol: the server's own, from outside, and other servers', by its client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanKind, Status, StatusCode

from ailoop_otel import names
from ailoop_otel.dialects.frame import harmless
from ailoop_otel.server.inside import Host, Inside
from ailoop_otel.telemetry import EMPTY, SECOND, SHORTEST, Attributes, context_of

# What OpenTelemetry's conventions call a result that says it is an error.
_FAILED: Final = "tool_error"
_UNKNOWN: Final = "unknown_tool"
_CANCELLED: Final = "cancelled"


class ToolRequest:
    """One `tools/call`, on either side of it."""

    __slots__ = ("_before", "_began", "_inside", "_kind", "span", "tool")

    def __init__(
        self, inside: Inside, tool: str, kind: SpanKind, attributes: Attributes, parent: Context, links: list[Link]
    ) -> None:
        telemetry = inside.telemetry
        self._inside = inside
        self._kind = kind
        self._began = telemetry.clock.now()
        self._before = get_current()
        self.tool = tool
        attributes |= {
            names.MCP_METHOD: names.SPAN_MCP,
            names.GEN_AI_OPERATION: names.SPAN_TOOL,
            names.GEN_AI_TOOL_NAME: tool,
        }
        start = self._began + telemetry.offset()
        self.span: Span = telemetry.start_span(f"{names.SPAN_MCP} {tool}", start, attributes, parent, kind, links)
        attach(context_of(self.span))

    def end(self, error: str | None) -> None:
        """It was answered, or failed."""
        telemetry = self._inside.telemetry
        attach(self._before)
        labels: Attributes = {names.MCP_METHOD: names.SPAN_MCP, names.GEN_AI_TOOL_NAME: self.tool}
        if error is not None:
            labels[names.ERROR_TYPE] = error
            self.span.set_attribute(names.ERROR_TYPE, error)
            self.span.set_status(Status(StatusCode.ERROR))
        now = max(telemetry.clock.now(), self._began + SHORTEST)
        instrument = telemetry.mcp_server if self._kind is SpanKind.SERVER else telemetry.mcp_client
        instrument.record((now - self._began) / SECOND, labels, context_of(self.span))
        self.span.end(now + telemetry.offset())


def served_hook(host: Host) -> Callable[..., Any]:
    """Wraps `FastMCP.call_tool`, which runs in the MCP server's own thread, in a context of nobody's."""
    return _hook(host, _served)


def called_hook(host: Host) -> Callable[..., Any]:
    """Wraps `MCPClient.call_tool`."""
    return _hook(host, _called)


def _hook(host: Host, begin: Callable[[Inside, Any, Any], ToolRequest]) -> Callable[..., Any]:
    async def call_tool(wrapped: Callable[..., Any], side: Any, args: Any, kwargs: Any) -> Any:
        request: ToolRequest | None = None
        with host.guard:
            inside = host.inside()
            if inside is not None:
                request = begin(inside, side, args[0] if args else kwargs.get("name"))
        if request is None:
            return await wrapped(*args, **kwargs)
        error: str | None = _CANCELLED
        try:
            result = await wrapped(*args, **kwargs)
            error = None
            with host.guard:
                error = _error_of(result, request.tool)
            return result
        except Exception as fault:
            error = _UNKNOWN if request.tool == names.OTHER else _raised(fault)
            raise
        finally:
            with host.guard:
                request.end(error)

    return call_tool


def _served(inside: Inside, server: Any, name: Any) -> ToolRequest:
    known = server._tool_manager.get_tool(name) is not None
    attributes: Attributes = {names.NETWORK_TRANSPORT: "tcp"}
    parent, links = EMPTY, []
    request = server._mcp_server.request_context
    if (request_id := harmless(request.request_id)) is not None:
        attributes[names.JSONRPC_ID] = request_id
    client = inside.remote_span(getattr(request.meta, "traceparent", None))
    if client is not None and inside.telemetry.settings.trust_client:
        parent = context_of(NonRecordingSpan(client))
    elif client is not None:
        links.append(Link(client))
        attributes[names.CLIENT_TRACE_ID] = f"{client.trace_id:032x}"
    tool = (harmless(name) if known else None) or names.OTHER
    return ToolRequest(inside, tool, SpanKind.SERVER, attributes, parent, links)


def _called(inside: Inside, client: Any, name: Any) -> ToolRequest:
    owner = inside.owner()
    attributes: Attributes = {}
    if owner is not None and owner.session_id is not None:
        attributes[names.SESSION_ID] = owner.session_id
    parent = get_current() if owner is not None else EMPTY
    tool = (harmless(name) if name in client.tools else None) or names.OTHER
    return ToolRequest(inside, tool, SpanKind.CLIENT, attributes, parent, [])


def _raised(fault: Exception) -> str:
    name = type(fault).__name__
    return _FAILED if name == "ToolError" else name


def _error_of(result: Any, tool: str) -> str | None:
    """The server answers a tool's failure with a text: its own, that of a dict, or of no content at all."""
    if isinstance(result, dict):
        return _FAILED if result.get("isError") else None
    while isinstance(result, (tuple, list)) and result:
        result = result[0]
    text = getattr(result, "text", None)
    failures = (f"Error executing {tool}:", "{'error':", "{'success': False")
    failed = isinstance(text, str) and (text == "None" or text.startswith(failures))
    return _FAILED if failed else None
