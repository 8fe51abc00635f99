"""The current generation of AILoop: stateless sessions, `StreamingUpdate` frames, one reply after the answer.

Notifications are compact JSON, replies have spaces. Each update holds the whole text so far, and when the model's
stream ended well the last one is sent again.
"""

from __future__ import annotations

from typing import Any, Final

from ailoop_otel.protocol.frame import Answer, Json, Meaning, Notice, identifier

_HEAD: Final = '{"jsonrpc":"2.0","method":"'
_OWN: Final = (
    "agent.",
    "StreamingUpdate",
    "ChannelMessageNotification",
    "context.",
    "session.saved",
    "session.loaded",
)
_OWN_HEADS: Final = tuple(_HEAD + name for name in _OWN)
_SESSION: Final = '"sessionId":"'
# What stands behind the text of a plain chunk, with an id of 36 characters and an agent of one.
_TAIL_LENGTH: Final = len('","sessionId":"","agentId":"a","isPartial":true,"format":"text","rawContent":true}}') + 36
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


class Stateless:
    """The current generation's dialect."""

    name = "stateless"
    methods = frozenset(family + method for family, methods in _FAMILIES.items() for method in methods.split())
    commands = frozenset({"/clear", "/help", "/save", "/load", "/debug"})
    chunk_head = _HEAD + 'StreamingUpdate","params":{"type":"streaming_chunk","content":"'
    chunk_empty = chunk_head + '"'
    # Behind the quote that ends an empty text; a text that begins with a blank or "!" sorts before it.
    text_from = chunk_head + "#"
    text_below = chunk_head[:-1] + "#"
    whole_head = _HEAD + 'ChannelMessageNotification"'
    final_tail = ""
    cumulative = True
    # Text taken out of a structured answer ends otherwise, and is not sent again.
    plain_tail = '"rawContent":true}}'
    queues = False
    takes_notifications = True
    socket_owns_session = True
    stop_cuts = False

    def recognises(self, text: str) -> bool:
        """Whether only this generation sends such a frame."""
        return text.startswith(_OWN_HEADS)

    def chunk_session(self, text: str) -> str | None:
        """The session of a chunk: it stands behind the text, so it is looked for from the end."""
        start = text.rfind(_SESSION)
        return text[start + len(_SESSION) : text.find('"', start + len(_SESSION))] if start > 0 else None

    def chunk_rest(self, text: str) -> int:
        """How much of a chunk frame is not the answer's text, characters."""
        return len(self.chunk_head) + len(text) - text.rfind('",' + _SESSION)

    def chunk_size(self, length: int) -> int:
        """The characters of text in a chunk frame of this length, as they stand in JSON."""
        return max(0, length - len(self.chunk_head) - _TAIL_LENGTH)

    def notice(self, frame: Json) -> Notice:
        """What a notification means."""
        method = frame.get("method")
        params = frame.get("params")
        if not isinstance(params, dict):
            return Notice(Meaning.OTHER)
        session = identifier(params.get("sessionId"))
        if method == "StreamingUpdate":
            return Notice(Meaning.CHUNK, session, _length(params.get("content")))
        if method == "ChannelMessageNotification":
            metadata = params.get("metadata")
            session = identifier(metadata.get("sessionId")) if isinstance(metadata, dict) else None
            return Notice(Meaning.TEXT, session, _length(params.get("content")))
        return Notice(Meaning.OTHER, session)

    def answer(self, result: Any) -> Answer | None:
        """`ai_response` is null where the model failed, and absent after a slash command."""
        if not isinstance(result, dict) or "messageId" not in result:
            return None
        if "ai_response" not in result:
            return Answer(command=True)
        text = result["ai_response"]
        # The server stops streaming, the repeat included, once the text has one of these words in it.
        tells = not (isinstance(text, str) and ('"tool_calls"' in text or '"function_calls"' in text))
        return Answer(failed=text is None, text=text if isinstance(text, str) else "", tells_ending=tells)


def _length(text: object) -> int:
    return len(text) if isinstance(text, str) else 0
