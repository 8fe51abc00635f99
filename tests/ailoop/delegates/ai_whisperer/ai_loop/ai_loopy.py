"""The loop of a session: a task that waits for messages, streams the answers and tells of everything by events."""

import asyncio
import enum
import json
import logging
import os
from collections.abc import AsyncIterator
from typing import Any

from ai_whisperer.ai_loop.ai_config import AIConfig
from ai_whisperer.ai_service.ai_service import AIService, AIStreamChunk
from ai_whisperer.context_management import ContextManager
from ai_whisperer.delegate_manager import DelegateManager
from ai_whisperer.tools.tool_registry import get_tool_registry

logger = logging.getLogger(__name__)

# The real one has no such variable: its 10 s are long for a test that waits for their end.
ANSWER_WITHIN = float(os.environ.get("STANDIN_ANSWER_WITHIN", "10"))
_MAX_ITERATIONS = 1000


class SessionState(enum.Enum):
    """Where the loop is."""

    WAIT_FOR_INPUT = 1
    PROCESS_TOOL_RESULT = 2
    ASSEMBLE_AI_STREAM = 3
    SHUTDOWN = 4
    NOT_STARTED = 5


class AILoop:
    """One conversation's loop; it stops for good after an error event or a thousand steps."""

    def __init__(
        self,
        config: AIConfig,
        ai_service: AIService,
        context_manager: ContextManager,
        delegate_manager: DelegateManager,
    ) -> None:
        self.config = config
        self.ai_service = ai_service
        self.context_manager = context_manager
        self.delegate_manager = delegate_manager
        self.shutdown_event = asyncio.Event()
        self._user_message_queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._tool_result_queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._session_task: asyncio.Task[None] | None = None
        self._state = SessionState.NOT_STARTED

    async def start_session(self, system_prompt: str) -> asyncio.Task[None]:
        """Start the task; it keeps the context of whoever called this."""
        self.context_manager.clear_history()
        self.context_manager.add_message({"role": "system", "content": system_prompt})
        await self._tell("ai_loop.session_started")
        self._session_task = asyncio.create_task(self._run_session())
        return self._session_task

    async def _run_session(self) -> None:
        finish_reason: str | None = "unknown"
        self._state = SessionState.WAIT_FOR_INPUT
        try:
            for _ in range(_MAX_ITERATIONS):
                if self._state is SessionState.WAIT_FOR_INPUT:
                    await self._take_input()
                elif self._state is SessionState.ASSEMBLE_AI_STREAM:
                    finish_reason = await self._answer(finish_reason)
                else:
                    break
        finally:
            reason = "error" if finish_reason == "error" else "unknown"
            reason = "stopped" if self.shutdown_event.is_set() else reason
            await self._tell("ai_loop.session_ended", reason)
            self._session_task = None

    async def _take_input(self) -> None:
        message = await self._user_message_queue.get()
        if message is not None:
            self.context_manager.add_message({"role": "user", "content": message})
            await self._tell("ai_loop.message.user_processed", message)
        stopping = self.shutdown_event.is_set()
        self._state = SessionState.SHUTDOWN if stopping else SessionState.ASSEMBLE_AI_STREAM

    async def _answer(self, finish_reason: str | None) -> str | None:
        async def run_stream() -> str | None:
            stream = self.ai_service.stream_chat_completion(
                messages=self.context_manager.get_history(),
                tools=get_tool_registry().get_all_tool_definitions(),
                **self.config.__dict__,
            )
            return await self._assemble_ai_stream(stream)

        self._state = SessionState.WAIT_FOR_INPUT
        try:
            finish_reason = await asyncio.wait_for(run_stream(), timeout=ANSWER_WITHIN)
        except asyncio.TimeoutError:
            await self._tell("ai_loop.error", "AI service timeout")
            self.context_manager.add_message({"role": "assistant", "content": "AI service timeout"})
            return finish_reason
        if finish_reason == "error":
            self._state = SessionState.SHUTDOWN
        return finish_reason

    async def _assemble_ai_stream(self, ai_response_stream: AsyncIterator[AIStreamChunk]) -> str | None:
        """Consume the stream, tell of each piece, and return why it ended."""
        finish_reason = None
        text = ""
        tool_calls = ""
        last = None
        try:
            async for chunk in ai_response_stream:
                if self.shutdown_event.is_set():
                    finish_reason = "stopped"
                    break
                if chunk.delta_content:
                    text += chunk.delta_content
                    await self._tell("ai_loop.message.ai_chunk_received", chunk.delta_content)
                    last = chunk.delta_content if chunk.delta_content.strip() else last
                await asyncio.sleep(0.05)
                if chunk.delta_tool_call_part:
                    # The provider sends lists: this is where the earlier generation fails with every tool call.
                    tool_calls += chunk.delta_tool_call_part  # type: ignore[operator]
                finish_reason = chunk.finish_reason or finish_reason
            if last is not None:
                await self._tell("ai_loop.message.ai_chunk_received", last, is_final_chunk=True)
            if finish_reason == "tool_calls" and tool_calls:
                await self._tell("ai_loop.tool_call.identified", json.loads(tool_calls))
            if text:
                self.context_manager.add_message({"role": "assistant", "content": text})
        except Exception as error:
            logger.exception("_assemble_ai_stream encountered an error:")
            await self._tell("ai_loop.error", error)
            self.context_manager.add_message({"role": "assistant", "content": f"An error occurred: {error}"})
            finish_reason = "stop"
        return finish_reason

    async def stop_session(self) -> None:
        """Stop the task, in five seconds at most."""
        self.shutdown_event.set()
        await self._user_message_queue.put(None)
        if self._session_task:
            try:
                await asyncio.wait_for(self._session_task, timeout=5.0)
            except asyncio.TimeoutError:
                logger.warning("AILoop session task did not finish within timeout")
            self._session_task = None

    async def send_user_message(self, message: str) -> None:
        """Queue a message, even if the task is gone."""
        await self._user_message_queue.put(message)
        await asyncio.sleep(0)

    async def _handle_provide_tool_result(self, **kwargs: Any) -> None:
        result = kwargs.get("result")
        if not isinstance(result, dict):
            wanted = "Invalid 'result' type for ai_loop.control.provide_tool_result: Expected dictionary"
            await self._tell("ai_loop.error", TypeError(f"{wanted}, got {type(result)}"))
            return
        await self._tool_result_queue.put(result)

    async def _tell(self, event_type: str, event_data: Any = None, **kwargs: Any) -> None:
        await self.delegate_manager.invoke_notification(
            sender=self, event_type=event_type, event_data=event_data, **kwargs
        )
