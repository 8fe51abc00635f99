"""Spans, log events, and the outcomes of exchanges."""

from __future__ import annotations

from typing import Final

from ailoop_otel.names.kinds import Name

SCOPE: Final = "ailoop_otel"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.37.0"

SPAN_FIRST_CHUNK: Final = "ailoop.first_chunk"
SPAN_STREAM: Final = "ailoop.stream"
SPAN_AI_TIMEOUT: Final = "ailoop.ai_timeout"
SPAN_SESSION_START: Final = "ailoop.session.start"
SPAN_SESSION: Final = "ailoop.session"
SPAN_AGENT: Final = "invoke_agent"
SPAN_MODEL: Final = "chat"
SPAN_TOOL: Final = "execute_tool"
SPAN_MCP: Final = "tools/call"
OTHER: Final = "_OTHER"

# fmt: off
SPANS: Final = (
    Name("{rpc.method}", "", "SERVER. One JSON-RPC call; `sendUserMessage` lasts until its answer is complete."),
    Name(SPAN_FIRST_CHUNK, "", "INTERNAL. Message received until the first frame with text of the answer."),
    Name(SPAN_STREAM, "", "INTERNAL. First chunk until the last; absent when the answer came in one piece."),
    Name(SPAN_AGENT + " {gen_ai.agent.name}", "",
        "INTERNAL. One agent's work on one message, all its rounds. Or a background "
        "agent's on one task: then a root, linked to its session's start and to the call that asked for it; it is no "
        "exchange, and counts in no metric of theirs."),
    Name(SPAN_MODEL + " {gen_ai.request.model}", "", "CLIENT. Request to the model sent until its last line read."),
    Name(SPAN_TOOL + " {gen_ai.tool.name}", "", "INTERNAL. One tool call."),
    Name(SPAN_MCP + " {gen_ai.tool.name}", "",
        "SERVER. A tool called from outside through the MCP server; CLIENT where AILoop calls another's."),
    Name(SPAN_AI_TIMEOUT, "", "INTERNAL, ERROR. Last sign of life until the silence was noticed."),
    Name(SPAN_SESSION_START, "", "INTERNAL. A short root of its own trace, exported when the session starts."),
    Name(SPAN_SESSION, "", "INTERNAL. The whole life of a session, exported when it ends."),
)
# fmt: on

OUTCOMES: Final = (
    Name("protocol_error", "", "JSON-RPC error −32700 or −32600 to −32602."),
    Name("server_error", "", "Any other error reply, or an exception out of the server."),
    Name("disconnected", "", "A send failed, or the connection ended first."),
    Name("cancelled", "", "The session was stopped or the server shut down first."),
    Name("ai_timeout", "", "The AI stayed silent beyond a deadline and the answer never became whole."),
    Name("ai_error", "", "The AI failed, though the server may have said `status: 0`."),
    Name("cut", "", "There was text, but not all of it."),
    Name("no_answer", "", "It ended without text."),
    Name("ok", "", "A whole answer, or a slash command."),
)

_EVENTS: Final[list[Name]] = []


def _event(name: str, description: str) -> str:
    """Put a name into the table."""
    _EVENTS.append(Name(name, "", description))
    return name


# fmt: off
EVENT_SESSION_START: Final = _event("session.start", "A session began.")
EVENT_SESSION_END: Final = _event("session.end", "A session ended, with its reason.")
EVENT_AI_TIMEOUT: Final = _event(
    "ailoop.ai_timeout", "The AI stayed silent longer than allowed; emitted while it still is."
)
EVENT_AGENT_SWITCH: Final = _event("ailoop.agent.switch", "A session went over to another agent.")
EVENT_MAIL_SENT: Final = _event("ailoop.mail.sent", "An agent mailed another, or the user; nothing of what it says.")
EVENT_MAIL_READ: Final = _event("ailoop.mail.read", "New mail was found, with how many; an empty box is no event.")
EVENT_SERVER_START: Final = _event("ailoop.server.start", "The application started.")
EVENT_SERVER_STOP: Final = _event("ailoop.server.stop", "The application shut down.")
# fmt: on

EVENTS: Final = tuple(_EVENTS)
