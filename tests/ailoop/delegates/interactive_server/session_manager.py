"""Sessions, each with a loop of its own that outlives its client."""

import json
import logging
import uuid
from typing import Any

from ai_whisperer.ai_loop.ai_config import AIConfig
from ai_whisperer.context_management import ContextManager
from ai_whisperer.delegate_manager import DelegateManager
from ai_whisperer.interactive_ai import InteractiveAI
from fastapi import WebSocket

from .delegate_bridge import DelegateBridge

logger = logging.getLogger(__name__)


class InteractiveSession:
    """One conversation; its notifications go to the socket that started it, whoever asks."""

    def __init__(self, session_id: str, websocket: WebSocket, config: dict[str, Any]) -> None:
        openrouter = config.get("openrouter", {})
        self.session_id = session_id
        self.websocket = websocket
        self.delegate_manager = DelegateManager()
        self.context_manager = ContextManager()
        self.ai_config = AIConfig(
            api_key=openrouter.get("api_key", ""), model_id=openrouter.get("model", "openai/gpt-3.5-turbo")
        )
        self.interactive_ai: InteractiveAI | None = None
        self.delegate_bridge: DelegateBridge | None = None
        self.is_started = False

    async def start_ai_session(self, system_prompt: str | None = None) -> str:
        """Start the loop."""
        if self.is_started:
            raise RuntimeError(f"Session {self.session_id} is already started")
        try:
            self.interactive_ai = InteractiveAI(
                {"id": self.ai_config.model_id}, self.ai_config, self.delegate_manager, self.context_manager
            )
            self.delegate_bridge = DelegateBridge(self)
            await self.interactive_ai.start_interactive_ai_session(system_prompt or "You are an AI assistant.")
        except Exception as error:
            await self.cleanup()
            raise RuntimeError(f"Failed to start AI session: {error}") from error
        self.is_started = True
        return self.session_id

    async def send_user_message(self, message: str) -> None:
        """Hand a message to the loop; the answer comes when it comes."""
        if not self.is_started or not self.interactive_ai:
            raise RuntimeError(f"Session {self.session_id} is not started")
        await self.interactive_ai.send_message(message)

    async def stop_ai_session(self) -> None:
        """Stop the loop."""
        if self.is_started and self.interactive_ai and self.interactive_ai.ai_loop:
            await self.interactive_ai.ai_loop.stop_session()
        self.is_started = False

    async def send_notification(self, method: str, notification_data: Any) -> None:
        """Send a notification; a failure is logged."""
        try:
            params = notification_data.model_dump()
            await self.websocket.send_text(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}))
        except Exception as error:
            logger.error("Failed to send notification %s: %s", method, error, exc_info=True)

    async def cleanup(self) -> None:
        """Stop and forget everything."""
        await self.stop_ai_session()
        if self.delegate_bridge:
            await self.delegate_bridge.cleanup()
        self.delegate_bridge = None
        self.interactive_ai = None


class InteractiveSessionManager:
    """All sessions; nothing is cleaned up when a client leaves."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.sessions: dict[str, InteractiveSession] = {}
        self.websocket_sessions: dict[WebSocket, str] = {}

    async def create_session(self, websocket: WebSocket, session_params: dict[str, Any] | None = None) -> str:
        """Make a session."""
        session_id = str(uuid.uuid4())
        self.sessions[session_id] = InteractiveSession(session_id, websocket, self.config)
        self.websocket_sessions[websocket] = session_id
        return session_id

    async def start_session(self, session_id: str, system_prompt: str | None = None) -> str:
        """Start a session."""
        return await self.sessions[session_id].start_ai_session(system_prompt)

    async def stop_session(self, session_id: str) -> None:
        """Stop a session."""
        session = self.sessions.get(session_id)
        if session:
            await session.stop_ai_session()

    async def cleanup_session(self, session_id: str) -> None:
        """Forget a session."""
        session = self.sessions.pop(session_id, None)
        if session:
            self.websocket_sessions.pop(session.websocket, None)
            await session.cleanup()

    def get_session(self, session_id: str) -> InteractiveSession | None:
        """Return a session by its id."""
        return self.sessions.get(session_id)
