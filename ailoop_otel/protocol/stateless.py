"""The current generation of AILoop: stateless sessions, `StreamingUpdate` frames, one reply after the answer.

Notifications are compact JSON, replies have spaces. Each update holds the whole text so far, and when the model's
stream ended well the last one is sent again.
"""

from __future__ import annotations

from typing import Any, Final

from ailoop_otel.protocol.dialect import (
    NO_TAIL,
    ChunkForm,
    Dialect,
    Meaning,
    Notice,
    Reply,
    ReplyKind,
    text_notice,
)
from ailoop_otel.protocol.foreign import identifier
from ailoop_otel.protocol.jsonrpc import Json

_HEAD: Final = '{"jsonrpc":"2.0","method":"'
_AFTER_TEXT: Final = '","sessionId":"'
_FAMILIES: Final = {
    "": "startSession sendUserMessage provideToolResult stopSession echo dispatchCommand",
    "agent.": "list",
    "session.": "switch_agent current_agent handoff",
    "debbie.": "status alerts",
    "channel.": "history updateVisibility stats",
    "project.": "connect join create_new templates check_whisper list recent active get update delete activate close "
    "settings.get settings.update",
    "plan.": "list read",
    "mcp.": "start stop status",
    "async.": "createAgent startAgent stopAgent sleepAgent wakeAgent sendTask getAgentStates broadcastEvent",
    "workspace.": "getTree listDirectory searchFiles getFileContent clearCache writeFile",
}
_NOTIFICATIONS: Final = {
    "": "StreamingUpdate ChannelMessageNotification",
    "agent.": "created switched message",
    "context.": "updated cleared refreshed",
    "session.": "saved loaded",
    "async.": "task.started task.completed task.error task.continuation",
    "continuation.": "progress",
    "debbie.": "alert",
}


class _Update(ChunkForm):
    """All text so far, between the frame's head and the session."""

    cumulative = True
    head = _HEAD + 'StreamingUpdate","params":{"type":"streaming_chunk","content":"'
    empty = head + '"'
    # Text taken out of a structured answer ends otherwise, and is not sent again.
    repeated = '"rawContent":true}}'

    def session(self, text: str) -> str | None:
        # It stands behind the text, so it is looked for from the end.
        start = text.rfind(_AFTER_TEXT)
        if start < 0:
            return None
        start += len(_AFTER_TEXT)
        return text[start : text.find('"', start)]

    def text_size(self, text: str) -> int:
        return max(0, text.rfind(_AFTER_TEXT) - len(self.head))

    def tail(self, text: str) -> str | tuple[str, ...]:
        # The quote that ends the text is in it: within a text it would be escaped.
        start = text.rfind(_AFTER_TEXT)
        return text[start:] if start > 0 else NO_TAIL


class Stateless(Dialect):
    """The current generation's dialect."""

    name = "stateless"
    methods = frozenset(family + method for family, methods in _FAMILIES.items() for method in methods.split())
    notifications = frozenset(family + name for family, names in _NOTIFICATIONS.items() for name in names.split())
    commands = frozenset({"/clear", "/help", "/save", "/load", "/debug"})
    chunk_forms = (_Update(),)
    repeating_head = _HEAD + 'ChannelMessageNotification"'
    answers_notifications = True
    socket_owns_session = True
    repeats = True

    def notice(self, method: str, params: Json) -> Notice | None:
        """What a notification means."""
        session = self.session_of(params)
        if method == "StreamingUpdate":
            repeats = params.get("rawContent") is True
            return text_notice(Meaning.UPDATE, session, params, "content", repeats=repeats)
        if method == "ChannelMessageNotification":
            metadata = params.get("metadata")
            session = identifier(metadata.get("sessionId")) if isinstance(metadata, dict) else None
            return text_notice(Meaning.TEXT, session, params, "content")
        if method == "agent.message":
            return Notice(Meaning.COMMAND, session)
        return super().notice(method, params)

    def reply(self, result: Any) -> Reply | None:
        """`ai_response` is null where the model failed, and absent after a slash command."""
        if not isinstance(result, dict) or "messageId" not in result:
            return None
        if "ai_response" not in result:
            return Reply(ReplyKind.RECEIVED)
        text = result["ai_response"]
        if not isinstance(text, str):
            return Reply(ReplyKind.ANSWER, failed=text is None)
        # The server stops streaming, the repeat included, once the text has one of these words in it.
        shows_end = '"tool_calls"' not in text and '"function_calls"' not in text
        return Reply(ReplyKind.ANSWER, text, shows_end=shows_end)
