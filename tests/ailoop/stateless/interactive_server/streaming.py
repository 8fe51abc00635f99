"""Sending an answer to the client: while it grows, with the whole text so far in every frame, and when it is there."""

import json
import logging
from typing import Any

from .structured import has_all_parts, lacks_final, normalized, parsed, shown_of_growing

logger = logging.getLogger(__name__)


class ChunkSender:
    """The callback of one exchange; the text of a second model call continues the first's."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._chunks: list[str] = []
        self._shown = ""

    async def __call__(self, chunk: str) -> None:
        """Send what the client may see of the text so far."""
        if self._session.websocket is None:
            return
        self._chunks.append(chunk)
        text = "".join(self._chunks)
        try:
            if '"tool_calls"' in text or '"function_calls"' in text:
                return
            if text.strip().startswith("{"):
                await self._send_structured(text)
            else:
                await self._send({"content": text}, {"rawContent": True})
        except Exception as error:
            logger.error("Error sending chunk: %s", error, exc_info=True)
            if "closed" in str(error).lower():
                self._session.websocket = None

    async def _send_structured(self, text: str) -> None:
        if '"final"' not in text:
            return
        shown, value = shown_of_growing(text)
        if not shown or shown == self._shown:
            return
        self._shown = shown
        extra: dict[str, Any] = {"isStructured": True}
        if value is not None:
            extra["metadata"] = {key: value.get(key, "") for key in ("analysis", "commentary")}
        await self._send({"content": shown}, extra)

    async def _send(self, content: dict[str, Any], extra: dict[str, Any]) -> None:
        about = {
            "sessionId": self._session.session_id,
            "agentId": self._session.active_agent,
            "isPartial": True,
            "format": "text",
        }
        params = {"type": "streaming_chunk", **content, **about, **extra}
        await self._session.websocket.send_json({"jsonrpc": "2.0", "method": "StreamingUpdate", "params": params})


async def show_first(session: Any, result: dict[str, Any]) -> None:
    """Send the first call's text to the channels, and note whether it wants to go on."""
    text = result.get("response") or ""
    if not text:
        return
    value = parsed(text)
    answer = normalized("" if lacks_final(text) else text)
    if value and not has_all_parts(value) and "response" in value:
        answer = normalized(value["response"])
        result["continuation"] = value.get("continuation")
    frames = session.channel_integration.process_ai_response(
        session.session_id, answer.get("final", ""), session.active_agent
    )
    for frame in frames:
        parts = {key: answer.get(key, "") for key in ("analysis", "commentary")}
        frame["metadata"] |= {"structuredResponse": answer, **parts}
        await _send_channel(session, frame, answer)


async def show_second(session: Any, text: str) -> None:
    """Send the text that came after the tools to the channels."""
    answer = normalized(text)
    frames = session.channel_integration.process_ai_response(
        session.session_id, json.dumps(answer), session.active_agent, is_structured=True
    )
    for frame in frames:
        await _send_channel(session, frame, answer)


async def _send_channel(session: Any, frame: dict[str, Any], answer: dict[str, Any]) -> None:
    if session.websocket is None:
        return
    if frame["channel"] == "final":
        frame["metadata"] |= {"responseFormat": "json", "fullResponse": answer}
    try:
        await session.websocket.send_json({"jsonrpc": "2.0", "method": "ChannelMessageNotification", "params": frame})
    except Exception as error:
        logger.error("Error sending final channel message: %s", error, exc_info=True)
        if "closed" in str(error).lower():
            session.websocket = None
