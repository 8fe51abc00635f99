"""The loops of a session's agents."""

from typing import Any

from ai_whisperer.services.agents.config import AgentConfig
from ai_whisperer.services.ai.openrouter import OpenRouterAIService
from ai_whisperer.services.execution.ai_config import AIConfig
from ai_whisperer.services.execution.ai_loop import StatelessAILoop


class AILoopManager:
    """One loop per agent."""

    def __init__(self) -> None:
        self._ai_loops: dict[str, StatelessAILoop] = {}

    def get_or_create_ai_loop(
        self, agent_id: str, agent_config: AgentConfig, fallback_config: dict[str, Any] | None = None
    ) -> StatelessAILoop:
        """Return the agent's loop."""
        if agent_id not in self._ai_loops:
            config = AIConfig(
                api_key=agent_config.api_settings.get("api_key") or "",
                model_id=agent_config.model_name,
                **agent_config.generation_params,
            )
            context = {"agent_id": agent_id, "agent_name": agent_config.name}
            self._ai_loops[agent_id] = StatelessAILoop(config, OpenRouterAIService(config), context)
        return self._ai_loops[agent_id]

    def cleanup(self) -> None:
        """Forget the loops."""
        self._ai_loops.clear()
