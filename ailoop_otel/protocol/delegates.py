"""The earlier generation of AILoop: delegates, one background task per session, the reply only acknowledges.

All frames have spaces. Chunks are pieces; the last one that is not blank is sent again with `isFinal`.
"""

from __future__ import annotations

from typing import Any, Final

from ailoop_otel.protocol.dialect import ChunkForm, Dialect, Meaning, Notice, Reply, ReplyKind, text_notice
from ailoop_otel.protocol.jsonrpc import Json

_BEFORE_TEXT: Final = '", "chunk": "'
_AFTER_TEXT: Final = '", "isFinal": '
_STOPPED: Final = 2
_ERROR: Final = 3


class _Piece(ChunkForm):
    """A piece of text, between the session and the mark of the last one."""

    cumulative = False
    head = '{"jsonrpc": "2.0", "method": "AIMessageChunkNotification", "params": {"sessionId": "'
    final = '"isFinal": true}}'

    def session(self, text: str) -> str | None:
        start = len(self.head)
        end = text.find('"', start)
        return text[start:end] if end > 0 else None

    def text_size(self, text: str) -> int:
        start = text.find(_BEFORE_TEXT, len(self.head))
        end = text.rfind(_AFTER_TEXT)
        return max(0, end - start - len(_BEFORE_TEXT)) if start > 0 else 0


class Delegates(Dialect):
    """The earlier generation's dialect."""

    name = "delegates"
    methods = frozenset(["startSession", "sendUserMessage", "provideToolResult", "stopSession", "echo"])
    notifications = frozenset(["AIMessageChunkNotification", "SessionStatusNotification", "ToolCallNotification"])
    chunk_forms = (_Piece(),)
    queues = True
    stop_cuts = True
    reply_answers = False

    def notice(self, method: str, params: Json) -> Notice | None:
        """What a notification means."""
        session = self.session_of(params)
        if method == "AIMessageChunkNotification":
            meaning = Meaning.FINAL if params.get("isFinal") else Meaning.PIECE
            return text_notice(meaning, session, params, "chunk")
        if method == "SessionStatusNotification":
            return Notice(_status(params.get("status"), params.get("reason")), session)
        return super().notice(method, params)

    def reply(self, result: Any) -> Reply | None:
        """The reply comes at once and only acknowledges the message."""
        if isinstance(result, dict) and "messageId" in result and "ai_response" not in result:
            return Reply(ReplyKind.RECEIVED)
        return None


def _status(status: object, reason: object) -> Meaning:
    if status == _STOPPED:
        return Meaning.SESSION_ENDED
    if status != _ERROR:
        return Meaning.OTHER
    if reason == "timeout":
        return Meaning.TIMED_OUT
    if isinstance(reason, str) and reason.startswith("Session ended"):
        return Meaning.SESSION_FAILED
    return Meaning.FAILED
