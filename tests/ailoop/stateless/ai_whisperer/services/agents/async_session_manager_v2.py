"""Agents that work in the background: one task per agent, for as long as the session is not stopped."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ai_whisperer.context.agent_context import AgentContext
from ai_whisperer.extensions.mailbox.mailbox import get_mailbox
from ai_whisperer.services.agents.ai_loop_manager import AILoopManager
from ai_whisperer.services.agents.config import AgentConfig
from ai_whisperer.services.agents.registry import AgentRegistry
from ai_whisperer.services.agents.stateless import StatelessAgent

logger = logging.getLogger(__name__)

_MAIL_EVERY = float(os.environ.get("STANDIN_MAIL_EVERY", "5"))  # the real one has no such variable
Notify = Callable[[str, dict[str, Any]], Awaitable[None]]


class AgentState(Enum):
    """What an agent is doing."""

    IDLE = "idle"
    ACTIVE = "active"
    SLEEPING = "sleeping"
    STOPPED = "stopped"


@dataclass
class AsyncAgentSession:
    """One agent in the background."""

    agent_id: str
    agent: StatelessAgent
    state: AgentState = AgentState.IDLE
    task_queue: asyncio.Queue[dict[str, Any]] = field(default_factory=lambda: asyncio.Queue(maxsize=100))
    current_task: dict[str, Any] | None = None
    background_task: asyncio.Task[None] | None = None
    error_count: int = 0


class AsyncAgentSessionManager:
    """The background agents of one session."""

    def __init__(self, config: dict[str, Any], notification_callback: Notify | None = None) -> None:
        self.config = config
        self.sessions: dict[str, AsyncAgentSession] = {}
        self.agent_registry = AgentRegistry()
        self.ai_loop_manager = AILoopManager()
        self._notification_callback = notification_callback
        self._background_tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Get ready."""

    async def stop(self) -> None:
        """Stop all agents."""
        for agent_id in list(self.sessions):
            await self.stop_agent(agent_id)
        await asyncio.gather(*self._background_tasks, return_exceptions=True)

    async def create_agent_session(self, agent_id: str, auto_start: bool = True) -> AsyncAgentSession:
        """Make an agent and, if asked, start its task."""
        if agent_id in self.sessions:
            raise ValueError(f"Agent session '{agent_id}' already exists")
        info = self.agent_registry.get_agent(agent_id)
        if info is None:
            raise ValueError(f"No configuration found for agent '{agent_id}'")
        openrouter = self.config.get("openrouter", {})
        prompt = f"You are {info.name}."
        config = AgentConfig(
            name=agent_id,
            description=info.description,
            system_prompt=prompt,
            model_name=info.model or openrouter.get("model", ""),
            api_settings={"api_key": openrouter.get("api_key")},
        )
        loop = self.ai_loop_manager.get_or_create_ai_loop(agent_id, config)
        session = AsyncAgentSession(agent_id, StatelessAgent(config, AgentContext(agent_id, prompt), loop, info))
        self.sessions[agent_id] = session
        if auto_start:
            session.background_task = asyncio.create_task(self._agent_processor(session))
            self._background_tasks.add(session.background_task)
        return session

    async def _agent_processor(self, session: AsyncAgentSession) -> None:
        try:
            while session.state is not AgentState.STOPPED:
                if session.state is AgentState.IDLE:
                    await self._one_round(session)
                await asyncio.sleep(0.1)
        finally:
            session.state = AgentState.STOPPED

    async def _one_round(self, session: AsyncAgentSession) -> None:
        try:
            task = await asyncio.wait_for(session.task_queue.get(), _MAIL_EVERY)
        except asyncio.TimeoutError:
            await self._check_mail_async(session)
            return
        session.state, session.current_task = AgentState.ACTIVE, task
        await self._process_task(session, task)
        session.state, session.current_task = AgentState.IDLE, None

    async def _process_task(self, session: AsyncAgentSession, task: dict[str, Any]) -> None:
        prompt, task_id = task.get("prompt", ""), task.get("id", f"task_{time.time()}")
        about = {"agent_id": session.agent_id, "task_id": task_id}
        shown = prompt[:100] + "..." if len(prompt) > 100 else prompt
        kind = task.get("type", "user")
        await self._send_notification("async.task.started", about | {"task_type": kind, "prompt": shown})
        result = await session.agent.process_message(prompt)
        final = {"analysis": "", "commentary": "", "final": result["response"]}
        await self._send_notification("async.task.completed", about | {"result": final, "raw_result": result})

    async def _check_mail_async(self, session: AsyncAgentSession) -> None:
        for mail in get_mailbox().check_mail(session.agent.agent_registry_info.name):
            # The real one loses them too: it looks for an attribute that mail does not have.
            logger.error("Error processing mail %s", mail.message_id)

    async def sleep_agent(
        self, agent_id: str, duration_seconds: int | None = None, wake_events: set[str] | None = None
    ) -> None:
        """Let an agent rest."""
        self._session(agent_id).state = AgentState.SLEEPING

    async def wake_agent(self, agent_id: str, reason: str = "manual") -> None:
        """Let an agent work again."""
        self._session(agent_id).state = AgentState.IDLE

    async def stop_agent(self, agent_id: str) -> None:
        """Stop an agent's task."""
        session = self._session(agent_id)
        session.state = AgentState.STOPPED
        if session.background_task:
            session.background_task.cancel()

    async def send_task_to_agent(self, agent_id: str, prompt: str) -> None:
        """Queue a task."""
        await self._session(agent_id).task_queue.put({"prompt": prompt, "context": {}, "type": "direct"})

    async def broadcast_event(self, event: str, data: dict[str, Any]) -> None:
        """Tell all agents of an event; nobody listens."""

    def get_agent_states(self) -> dict[str, dict[str, Any]]:
        """Return what each agent is doing."""
        return {
            agent_id: {
                "state": each.state.value,
                "queue_depth": each.task_queue.qsize(),
                "current_task": each.current_task.get("type") if each.current_task else None,
                "error_count": each.error_count,
            }
            for agent_id, each in self.sessions.items()
        }

    def _session(self, agent_id: str) -> AsyncAgentSession:
        if agent_id not in self.sessions:
            raise ValueError(f"Agent '{agent_id}' not found")
        return self.sessions[agent_id]

    async def _send_notification(self, method: str, params: dict[str, Any]) -> None:
        if self._notification_callback:
            await self._notification_callback(method, params)
