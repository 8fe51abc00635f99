"""Teaches ailoop-otel the chat server Parley."""

from __future__ import annotations

from typing import Any

from ailoop_otel.protocol.dialect import ChunkForm, Dialect, Meaning, Notice, Reply, ReplyKind, text_notice


class Delta(ChunkForm):
    """A piece of an answer: the session at a fixed place, then the text up to the end of the frame."""

    cumulative = False
    head = '{"jsonrpc":"2.0","method":"chat.delta","params":{"conversation":"'

    def session(self, text: str) -> str | None:
        """From the head to the next quote."""
        start = len(self.head)
        return text[start : text.index('"', start)]

    def text_size(self, text: str) -> int:
        """What is left without the head, the session and what stands around the text."""
        start = text.index('","text":"', len(self.head)) + len('","text":"')
        return len(text) - len('"}}') - start


class Parley(Dialect):
    """Parley's dialect."""

    name = "parley"
    path = "/parley"
    message_method = "chat.ask"
    start_method = "chat.open"
    stop_method = "chat.close"
    methods = frozenset(["chat.history"])
    session_key = "conversation"
    text_key = "prompt"
    notifications = frozenset(["chat.presence"])
    chunk_forms = (Delta(),)
    stop_cuts = True
    reply_answers = False

    def notice(self, method: str, params: dict[str, Any]) -> Notice | None:
        """What a notification means."""
        session = self.session_of(params)
        if method == "chat.delta":
            return text_notice(Meaning.PIECE, session, params, "text")
        if method == "chat.done":
            return Notice(Meaning.FINAL, session)
        if method == "chat.failed":
            gave_up = params.get("reason") == "timeout"
            return Notice(Meaning.TIMED_OUT if gave_up else Meaning.FAILED, session)
        return super().notice(method, params)

    def reply(self, result: Any) -> Reply | None:
        """The reply to a message only acknowledges it."""
        accepted = isinstance(result, dict) and result.get("accepted") is True
        return Reply(ReplyKind.RECEIVED) if accepted else None

    def start_params(self, user: str) -> dict[str, Any]:
        """What the measuring client opens a conversation with."""
        return {"user": user}
