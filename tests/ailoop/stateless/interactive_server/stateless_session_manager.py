"""Sessions: they keep their agents, and are kept themselves when their client leaves."""

import asyncio
import logging
import os
import uuid
from typing import Any

from ai_whisperer.channels.integration import get_channel_integration
from ai_whisperer.context.agent_context import AgentContext
from ai_whisperer.services.agents.ai_loop_manager import AILoopManager
from ai_whisperer.services.agents.config import AgentConfig
from ai_whisperer.services.agents.registry import Agent, AgentRegistry
from ai_whisperer.services.agents.stateless import StatelessAgent
from fastapi import WebSocket

from .agent_switch_handler import AgentSwitchHandler
from .commands import run_command
from .streaming import ChunkSender, show_first, show_second
from .structured import parsed

logger = logging.getLogger(__name__)

_HINTS_OF_MORE = ("[COMMENTARY]", "I will", "I'll", "need to", "going to")


class StatelessInteractiveSession:
    """One conversation."""

    def __init__(
        self, session_id: str, websocket: WebSocket | None, config: dict[str, Any], agent_registry: AgentRegistry
    ) -> None:
        self.session_id = session_id
        self.websocket = websocket
        self.config = config
        self.agent_registry = agent_registry
        self.agents: dict[str, StatelessAgent] = {}
        self.active_agent: str | None = None
        self.is_started = False
        self.ai_loop_manager = AILoopManager()
        self.agent_switch_handler = AgentSwitchHandler(self)
        self.channel_integration = get_channel_integration()
        self._continuation_depth = 0
        self._lock = asyncio.Lock()

    async def start_ai_session(self, system_prompt: str | None = None) -> str:
        """Switch to the default agent."""
        if self.is_started:
            raise RuntimeError(f"Session {self.session_id} is already started")
        try:
            await self.switch_agent(os.environ.get("AIWHISPERER_DEFAULT_AGENT", "a").lower())
        except Exception as error:
            await self.cleanup()
            raise RuntimeError(f"Failed to start session: {error}") from error
        return self.session_id

    async def switch_agent(self, agent_id: str) -> None:
        """Make an agent the active one, and make it first if need be."""
        async with self._lock:
            if agent_id not in self.agents:
                info = self.agent_registry.get_agent(agent_id)
                if info is None:
                    raise ValueError(f"Agent '{agent_id}' not found in registry")
                await self._create_agent_internal(agent_id, f"You are {info.name}.", None, info)
            before, self.active_agent = self.active_agent, agent_id
            await self.send_notification("agent.switched", {"from": before, "to": agent_id})

    async def _create_agent_internal(
        self,
        agent_id: str,
        system_prompt: str,
        config: AgentConfig | None = None,
        agent_registry_info: Agent | None = None,
    ) -> StatelessAgent:
        openrouter = self.config.get("openrouter", {})
        model = agent_registry_info.model if agent_registry_info else None
        config = config or AgentConfig(
            # An agent with the configured model goes by its letter.
            name=agent_registry_info.name if agent_registry_info and model else agent_id,
            description=f"Agent {agent_id}",
            system_prompt=system_prompt,
            model_name=model or openrouter.get("model", "openai/gpt-3.5-turbo"),
            api_settings={"api_key": openrouter.get("api_key")},
            generation_params=openrouter.get("params", {}),
        )
        loop = self.ai_loop_manager.get_or_create_ai_loop(agent_id, config, self.config)
        agent = StatelessAgent(config, AgentContext(agent_id, system_prompt), loop, agent_registry_info)
        self.agents[agent_id] = agent
        if self.active_agent is None:
            self.active_agent = agent_id
            self.is_started = True
        active = self.active_agent == agent_id
        await self.send_notification("agent.created", {"agent_id": agent_id, "active": active})
        return agent

    async def send_user_message(self, message: str, is_continuation: bool = False) -> dict[str, Any] | None:
        """Let the active agent answer; None for a command."""
        if not self.is_started or not self.active_agent:
            raise RuntimeError(f"Session {self.session_id} is not started or no active agent")
        if message.strip().startswith("/") and await run_command(self, message.strip()):
            return None
        if not is_continuation:
            self._continuation_depth = 0
        agent = self.agents[self.active_agent]
        send_chunk = ChunkSender(self)
        options = self._answer_options(agent)
        result = await agent.process_message(message, on_stream_chunk=send_chunk, **options)
        await show_first(self, result)
        if result.get("tool_calls"):
            result = await self._after_tools(agent, result, send_chunk, options)
        if self.active_agent and not is_continuation:
            await self._continue(result)
        return result

    def _answer_options(self, agent: StatelessAgent) -> dict[str, Any]:
        """Return the wish for structured answers, for models that can."""
        if not agent.config.model_name.startswith("openai/"):
            return {}
        schema = {"type": "object", "properties": {each: {"type": "string"} for each in ("analysis", "final")}}
        return {
            "response_format": {"type": "json_schema", "json_schema": {"name": "channel_response", "schema": schema}}
        }

    async def _after_tools(
        self, agent: StatelessAgent, result: dict[str, Any], send_chunk: ChunkSender, options: dict[str, Any]
    ) -> dict[str, Any]:
        """Switch agents if there was mail, then let the model see the tools' results."""
        switched, answer = await self.agent_switch_handler.handle_tool_results(
            result["tool_calls"], result.get("response") or ""
        )
        if switched and answer:
            result["response"] = (result.get("response") or "") + answer
        if result.get("finish_reason") != "tool_calls":
            return result
        second = await agent.ai_loop.process_messages(
            messages=agent.context.retrieve_messages(),
            on_stream_chunk=send_chunk,
            tools=agent._get_agent_tools(),
            **options,
        )
        text = second.get("response")
        if text:
            await show_second(self, text)
            if not second.get("error"):
                agent.context.store_message({"role": "assistant", "content": text})
        kept = {key: second.get(key) for key in ("response", "finish_reason", "error")}
        return kept | {"tool_calls": result["tool_calls"]}

    async def _continue(self, result: dict[str, Any]) -> None:
        """Ask once more if the answer says so, and append what comes."""
        text = result.get("response") or ""
        state = result.get("continuation") or (parsed(text) or {}).get("continuation")
        if not state and result.get("finish_reason") == "error" and any(each in text for each in _HINTS_OF_MORE):
            state = {"status": "CONTINUE", "reason": "Error response indicates ongoing task"}
        if not isinstance(state, dict) or state.get("status") != "CONTINUE":
            return
        self._continuation_depth += 1
        reason = state.get("reason")
        message = f"Continue: {reason}" if reason else "Please continue with the next step."
        more = await self.send_user_message(message, is_continuation=True)
        if more and text and more.get("response"):
            result["response"] = f"{text}\n\n{more['response']}"
        self._continuation_depth = 0

    async def send_notification(self, method: str, params: Any = None) -> None:
        """Send a notification; a failure is logged."""
        if self.websocket is None:
            return
        try:
            await self.websocket.send_json({"jsonrpc": "2.0", "method": method, "params": params})
        except Exception as error:
            logger.error("Failed to send notification to client: %s", error, exc_info=True)

    async def stop_ai_session(self) -> None:
        """Take no more messages."""
        self.is_started = False

    async def cleanup(self) -> None:
        """Forget the agents; an answer under way goes on without one."""
        await self.stop_ai_session()
        self.agents.clear()
        self.active_agent = None
        self.ai_loop_manager.cleanup()
        self.channel_integration.clear_session(self.session_id)


class StatelessSessionManager:
    """All sessions, and which socket owns which."""

    def __init__(self, config: dict[str, Any], agent_registry: AgentRegistry | None = None) -> None:
        self.config = config
        self.agent_registry = agent_registry or AgentRegistry()
        self.sessions: dict[str, StatelessInteractiveSession] = {}
        self.websocket_sessions: dict[WebSocket, str] = {}
        self._lock = asyncio.Lock()

    async def create_session(self, websocket: WebSocket, project_path: str | None = None) -> str:
        """Make a session, which takes over the socket."""
        async with self._lock:
            session_id = str(uuid.uuid4())
            session = StatelessInteractiveSession(session_id, websocket, self.config, self.agent_registry)
            self.sessions[session_id] = session
            self.websocket_sessions[websocket] = session_id
            return session_id

    async def start_session(self, session_id: str, system_prompt: str | None = None) -> str:
        """Start a session."""
        session = self.get_session(session_id)
        if session is None:
            raise ValueError(f"Session {session_id} not found")
        return await session.start_ai_session(system_prompt)

    async def stop_session(self, session_id: str) -> None:
        """Stop a session without forgetting it."""
        session = self.get_session(session_id)
        if session is None:
            raise ValueError(f"Session {session_id} not found")
        await session.stop_ai_session()

    def get_session(self, session_id: str) -> StatelessInteractiveSession | None:
        """Return a session by its id."""
        return self.sessions.get(session_id)

    def get_session_by_websocket(self, websocket: WebSocket) -> StatelessInteractiveSession | None:
        """Return the session that a socket owns."""
        return self.sessions.get(self.websocket_sessions.get(websocket, ""))

    async def cleanup_session(self, session_id: str) -> None:
        """Forget a session."""
        async with self._lock:
            session = self.sessions.pop(session_id, None)
            if session is None:
                return
            await session.cleanup()
            for websocket, owned in list(self.websocket_sessions.items()):
                if owned == session_id:
                    del self.websocket_sessions[websocket]
