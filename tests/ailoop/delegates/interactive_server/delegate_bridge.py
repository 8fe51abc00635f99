"""From the loop's events to the client's notifications."""

import asyncio
import logging
from typing import Any

from .message_models import AIMessageChunkNotification, SessionStatus, SessionStatusNotification, ToolCallNotification

logger = logging.getLogger(__name__)


class DelegateBridge:
    """Listens to the events of one session."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.is_active = True
        self._handlers = {
            "ai_loop.session_started": self._handle_session_started,
            "ai_loop.session_ended": self._handle_session_ended,
            "ai_loop.message.ai_chunk_received": self._handle_ai_chunk_received,
            "ai_loop.tool_call.identified": self._handle_tool_call_identified,
            "ai_loop.error": self._handle_error,
        }
        for event_type, handler in self._handlers.items():
            session.delegate_manager.register_notification(event_type, handler)

    async def _handle_session_started(self, sender: Any, event_data: Any, **kwargs: Any) -> None:
        await self._status(SessionStatus.Active, "Session started")

    async def _handle_session_ended(self, sender: Any, event_data: Any, **kwargs: Any) -> None:
        reason = str(event_data) if event_data else "unknown"
        status = SessionStatus.Error if reason == "error" else SessionStatus.Stopped
        await self._status(status, f"Session ended: {reason}")

    async def _handle_ai_chunk_received(self, sender: Any, event_data: Any, **kwargs: Any) -> None:
        final = kwargs.get("is_final_chunk", False)
        if not self.is_active or (final and not str(event_data or "").strip()):
            return
        chunk = AIMessageChunkNotification(
            sessionId=self.session.session_id, chunk=str(event_data or ""), isFinal=final
        )
        await self.session.send_notification("AIMessageChunkNotification", chunk)

    async def _handle_tool_call_identified(self, sender: Any, event_data: Any, **kwargs: Any) -> None:
        for call in event_data:
            notice = ToolCallNotification(
                sessionId=self.session.session_id, toolCallId=call["id"], toolName=call["function"]["name"]
            )
            await self.session.send_notification("ToolCallNotification", notice)

    async def _handle_error(self, sender: Any, event_data: Any, **kwargs: Any) -> None:
        if not self.is_active:
            return
        text = str(event_data) if event_data else "Unknown error"
        await self._status(SessionStatus.Error, "timeout" if "timeout" in text.lower() else f"Error: {text}")
        # Time for the notice to leave; whoever raised the event waits with it.
        await asyncio.sleep(1.0)

    async def _status(self, status: SessionStatus, reason: str) -> None:
        if self.is_active:
            notice = SessionStatusNotification(sessionId=self.session.session_id, status=status, reason=reason)
            await self.session.send_notification("SessionStatusNotification", notice)

    async def cleanup(self) -> None:
        """Listen no more."""
        self.is_active = False
        for event_type, handler in self._handlers.items():
            self.session.delegate_manager.unregister_notification(event_type, handler)
