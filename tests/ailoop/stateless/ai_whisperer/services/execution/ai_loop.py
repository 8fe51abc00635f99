"""The loop between an agent and a model: one call, the tools it asked for, no state of its own."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from ai_whisperer.context.agent_context import AgentContext
from ai_whisperer.services.ai.base import AIService, AIStreamChunk
from ai_whisperer.services.execution.ai_config import AIConfig
from ai_whisperer.services.execution.tool_call_accumulator import ToolCallAccumulator
from ai_whisperer.tools.tool_registry import get_tool_registry

logger = logging.getLogger(__name__)

OnChunk = Callable[[str], Awaitable[None]]
_ATTEMPTS = 3


class StatelessAILoop:
    """Calls the model and runs tools; errors come back in the result, never as exceptions."""

    def __init__(self, config: AIConfig, ai_service: AIService, agent_context: dict[str, Any] | None = None) -> None:
        self.config = config
        self.ai_service = ai_service
        self.agent_context = agent_context or {}

    async def process_with_context(
        self,
        message: str,
        context_provider: AgentContext,
        on_stream_chunk: OnChunk | None = None,
        tools: list[dict[str, Any]] | None = None,
        timeout: float | None = None,
        store_messages: bool = True,
        response_format: dict[str, Any] | None = None,
        **generation_params: Any,
    ) -> dict[str, Any]:
        """Answer a message, with up to three calls if the model stays mute."""
        result = _empty_result()
        try:
            user = {"role": "user", "content": message}
            messages = [*context_provider.retrieve_messages(), user]
            for attempt in range(1, _ATTEMPTS + 1):
                data = await self._call(messages, on_stream_chunk, tools, timeout, response_format, generation_params)
                if not _is_mute(data) or attempt == _ATTEMPTS:
                    break
                await asyncio.sleep(1.0 * attempt)
            if data["reasoning"] and not data["response"] and not data["error"]:
                data["response"] = data["reasoning"]
            result.update(data)
            if store_messages and not data["error"] and (data["response"] or data["tool_calls"]):
                self._store(context_provider, user, data)
        except Exception as error:
            result["error"] = error
            logger.exception("Error processing message")
        return result

    async def process_messages(
        self,
        messages: list[dict[str, Any]],
        on_stream_chunk: OnChunk | None = None,
        tools: list[dict[str, Any]] | None = None,
        timeout: float | None = None,
        response_format: dict[str, Any] | None = None,
        **generation_params: Any,
    ) -> dict[str, Any]:
        """Answer a conversation as it stands: the step after the tools."""
        result = _empty_result()
        try:
            result.update(
                await self._call(messages, on_stream_chunk, tools, timeout, response_format, generation_params)
            )
        except Exception as error:
            result["error"] = error
            logger.exception("Error processing messages")
        return result

    async def _call(
        self,
        messages: list[dict[str, Any]],
        on_stream_chunk: OnChunk | None,
        tools: list[dict[str, Any]] | None,
        timeout: float | None,
        response_format: dict[str, Any] | None,
        generation_params: dict[str, Any],
    ) -> dict[str, Any]:
        if tools is None:
            tools = get_tool_registry().get_all_tool_definitions()
        params = {**self.config.__dict__, **generation_params}
        stream = self.ai_service.stream_chat_completion(
            messages=messages, tools=tools, response_format=response_format, **params
        )
        return await asyncio.wait_for(self._process_stream(stream, on_stream_chunk, response_format), timeout)

    async def _process_stream(
        self,
        stream: AsyncIterator[AIStreamChunk],
        on_stream_chunk: OnChunk | None = None,
        response_format: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Consume the stream, then run the tools it asked for."""
        answer = _Answer(on_stream_chunk)
        try:
            async for chunk in stream:
                await answer.take(chunk)
            # The last chunk's text is sent once more: nothing, unless it carries text and the end at once.
            await answer.tell(answer.last_delta)
            tool_calls = answer.tools.get_tool_calls() if answer.finish_reason == "tool_calls" else []
            return {
                "response": answer.text,
                "reasoning": answer.reasoning or None,
                "finish_reason": answer.finish_reason,
                "tool_calls": tool_calls or None,
                "tool_results": await self._execute_tool_calls(tool_calls) if tool_calls else None,
                "error": None,
                "used_structured_output": response_format is not None,
            }
        except Exception as error:
            logger.exception("Error processing stream")
            return {
                "response": answer.text or None,
                "reasoning": answer.reasoning or None,
                "finish_reason": "error",
                "tool_calls": None,
                "error": error,
            }

    async def _execute_tool_calls(self, tool_calls: list[dict[str, Any]]) -> list[Any]:
        """Run the tools one after the other, on the event loop."""
        return [await self._execute(each["function"]) for each in tool_calls]

    async def _execute(self, function: dict[str, Any]) -> Any:
        name = function.get("name")
        try:
            arguments = json.loads(function.get("arguments") or "{}")
            tool = get_tool_registry().get_tool_by_name(name)
            if tool is None:
                return {"error": f"Tool '{name}' not found"}
            for key, source in (
                ("_agent_id", "agent_id"),
                ("_agent_name", "agent_name"),
                ("_from_agent", "agent_name"),
            ):
                if source in self.agent_context:
                    arguments[key] = self.agent_context[source]
            try:
                result = tool.execute(arguments=arguments)
                return await result if asyncio.iscoroutine(result) else result
            except TypeError:
                result = tool.execute(**arguments)
                return await result if asyncio.iscoroutine(result) else result
        except Exception as error:
            logger.exception("Error executing tool %s", name)
            return {"error": f"Failed to execute {name}: {error}"}

    def _store(self, context: AgentContext, user: dict[str, Any], data: dict[str, Any]) -> None:
        context.store_message(user)
        assistant: dict[str, Any] = {"role": "assistant"}
        if data["response"]:
            assistant["content"] = data["response"]
        if data["tool_calls"]:
            assistant["tool_calls"] = data["tool_calls"]
        context.store_message(assistant)
        for call, result in zip(data["tool_calls"] or [], data["tool_results"] or [], strict=False):
            content = json.dumps(result, default=str)
            name = call["function"]["name"]
            context.store_message({"role": "tool", "tool_call_id": call["id"], "name": name, "content": content})


class _Answer:
    """What has come of an answer so far."""

    def __init__(self, on_chunk: OnChunk | None) -> None:
        self.text = ""
        self.reasoning = ""
        self.finish_reason: str | None = None
        self.last_delta = ""
        self.tools = ToolCallAccumulator()
        self._on_chunk = on_chunk

    async def take(self, chunk: AIStreamChunk) -> None:
        self.last_delta = chunk.delta_content or ""
        if chunk.delta_content:
            self.text += chunk.delta_content
            await self.tell(chunk.delta_content)
        if chunk.delta_reasoning:
            self.reasoning += chunk.delta_reasoning
            await self.tell(chunk.delta_reasoning)
        if chunk.delta_tool_call_part:
            self.tools.add_chunk(chunk.delta_tool_call_part)
        self.finish_reason = chunk.finish_reason or self.finish_reason

    async def tell(self, delta: str) -> None:
        if self._on_chunk:
            await self._on_chunk(delta)


def _empty_result() -> dict[str, Any]:
    return {"response": None, "finish_reason": None, "tool_calls": None, "error": None}


def _is_mute(data: dict[str, Any]) -> bool:
    said = data["error"] or data["response"] or data["reasoning"] or data["tool_calls"]
    return not said and data["finish_reason"] == "stop"
