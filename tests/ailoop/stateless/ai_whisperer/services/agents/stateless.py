"""An agent: a configuration, a memory and a loop."""

import logging
from typing import Any

from ai_whisperer.context.agent_context import AgentContext
from ai_whisperer.services.agents.config import AgentConfig
from ai_whisperer.services.agents.registry import Agent
from ai_whisperer.services.execution.ai_loop import OnChunk, StatelessAILoop
from ai_whisperer.tools.tool_registry import get_tool_registry

logger = logging.getLogger(__name__)


class StatelessAgent:
    """Processes messages; errors come back in the result, never as exceptions."""

    def __init__(
        self,
        config: AgentConfig,
        context: AgentContext,
        ai_loop: StatelessAILoop,
        agent_registry_info: Agent | None = None,
    ) -> None:
        self.config = config
        self.context = context
        self.ai_loop = ai_loop
        self.agent_registry_info = agent_registry_info

    async def process_message(
        self, message: str, on_stream_chunk: OnChunk | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Return response and finish reason, and the error or the tool calls if there are any."""
        try:
            result = await self.ai_loop.process_with_context(
                message=message,
                context_provider=self.context,
                on_stream_chunk=on_stream_chunk,
                tools=self._get_agent_tools(),
                store_messages=kwargs.get("store_messages", True),
                response_format=kwargs.get("response_format"),
                **self.config.generation_params,
            )
        except Exception as error:
            logger.exception("Error processing message")
            return {"response": None, "error": error, "finish_reason": "error"}
        kept = {"response": result["response"], "finish_reason": result["finish_reason"]}
        if result.get("error"):
            return kept | {"error": result["error"]}
        if result.get("tool_calls"):
            return kept | {"tool_calls": result["tool_calls"]}
        return kept

    def _get_agent_tools(self) -> list[dict[str, Any]] | None:
        """Return the tools that the agent may use, or None for all."""
        if self.agent_registry_info is None:
            return None
        return get_tool_registry().get_all_tool_definitions()
