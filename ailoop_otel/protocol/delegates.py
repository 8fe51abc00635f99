"""The earlier generation of AILoop: delegates, one background task per session, the reply only acknowledges.

All frames have spaces. Chunks are pieces; the last one that is not blank is sent again with `isFinal`.
"""

from __future__ import annotations

from typing import Any, Final

from ailoop_otel.protocol.frame import Answer, Json, Meaning, Notice, identifier

_HEAD: Final = '{"jsonrpc": "2.0", "method": "'
_OWN: Final = ("AIMessageChunkNotification", "SessionStatusNotification", "ToolCallNotification")
_OWN_HEADS: Final = tuple(_HEAD + name for name in _OWN)
_ID_LENGTH: Final = 36
_STOPPED: Final = 2
_ERROR: Final = 3


class Delegates:
    """The earlier generation's dialect."""

    name = "delegates"
    methods = frozenset(["startSession", "sendUserMessage", "provideToolResult", "stopSession", "echo"])
    commands: frozenset[str] = frozenset()
    chunk_head = _HEAD + 'AIMessageChunkNotification", "params": {"sessionId": "'
    chunk_empty = "\0"  # it sends no empty ones
    text_from = text_below = ""
    whole_head = ""
    final_tail = '"isFinal": true}}'
    cumulative = False
    plain_tail = "\0"  # its end is told by `isFinal`
    queues = True
    takes_notifications = False
    socket_owns_session = False
    stop_cuts = True

    def recognises(self, text: str) -> bool:
        """Whether only this generation sends such a frame."""
        return text.startswith(_OWN_HEADS)

    def chunk_session(self, text: str) -> str | None:
        """The session of a chunk: it stands at a fixed place."""
        start = len(self.chunk_head)
        return text[start : start + _ID_LENGTH]

    def chunk_rest(self, text: str) -> int:
        """How much of a chunk frame is not the answer's text, characters."""
        return len(text) - self.chunk_size(len(text))

    def chunk_size(self, length: int) -> int:
        """The characters of text in a chunk frame of this length, as they stand in JSON."""
        return max(0, length - len(self.chunk_head) - _ID_LENGTH - len('", "chunk": "", "isFinal": false}}'))

    def notice(self, frame: Json) -> Notice:
        """What a notification means."""
        method = frame.get("method")
        params = frame.get("params")
        if not isinstance(params, dict):
            return Notice(Meaning.OTHER)
        session = identifier(params.get("sessionId"))
        if method == "AIMessageChunkNotification":
            chunk = params.get("chunk")
            meaning = Meaning.FINAL if params.get("isFinal") else Meaning.CHUNK
            return Notice(meaning, session, len(chunk) if isinstance(chunk, str) else 0)
        if method == "SessionStatusNotification":
            return Notice(_status(params.get("status"), params.get("reason")), session)
        return Notice(Meaning.OTHER, session)

    def answer(self, result: Any) -> Answer | None:
        """The reply comes at once and says only that the message was taken."""
        if isinstance(result, dict) and "messageId" in result and "ai_response" not in result:
            return Answer(acknowledges=True)
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
