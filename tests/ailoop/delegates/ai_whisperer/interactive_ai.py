"""The loop and the model service of one session."""

import threading
from typing import Any

from ai_whisperer.ai_loop.ai_config import AIConfig
from ai_whisperer.ai_loop.ai_loopy import AILoop
from ai_whisperer.ai_service.openrouter_ai_service import OpenRouterAIService
from ai_whisperer.context_management import ContextManager
from ai_whisperer.delegate_manager import DelegateManager


class InteractiveAI:
    """What a session talks to."""

    def __init__(
        self,
        model: dict[str, Any],
        ai_config: AIConfig,
        delegate_manager: DelegateManager,
        context_manager: ContextManager,
    ) -> None:
        self.model = model
        self.ai_config = ai_config
        self.delegate_manager = delegate_manager
        self.context_manager = context_manager
        self.shutdown_event = threading.Event()
        self.ai_loop: AILoop | None = None

    async def start_interactive_ai_session(self, system_prompt: str) -> None:
        """Start the loop."""
        service = OpenRouterAIService(self.ai_config, self.shutdown_event)
        self.ai_loop = AILoop(self.ai_config, service, self.context_manager, self.delegate_manager)
        await self.ai_loop.start_session(system_prompt)

    async def send_message(self, message: str) -> None:
        """Queue a message."""
        if self.ai_loop is None:
            raise RuntimeError("AI loop is not initialized")
        await self.ai_loop.send_user_message(message)
