"""The methods about background agents; their errors have a shape of their own."""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

logger = logging.getLogger(__name__)

Method = Callable[..., Awaitable[dict[str, Any]]]


def _telling(method: Method) -> Method:
    """Turn what a method raises into its result."""

    @functools.wraps(method)
    async def told(self: Any, params: dict[str, Any], websocket: Any = None) -> dict[str, Any]:
        try:
            return await method(self, params, websocket)
        except Exception as error:
            logger.error("Error in a background agent: %s", error, exc_info=True)
            return {"error": "INTERNAL_ERROR", "message": str(error)}

    return told


class AsyncAgentEndpoints:
    """One manager of background agents per session, made when it is first needed."""

    def __init__(self, session_manager: Any) -> None:
        self.session_manager = session_manager
        self.async_managers: dict[str, Any] = {}

    @_telling
    async def create_async_agent(self, params: dict[str, Any], websocket: Any = None) -> dict[str, Any]:
        """Make an agent."""
        if not params.get("sessionId") or not params.get("agentId"):
            return _invalid("sessionId and agentId are required")
        manager = await self._get_or_create_manager(params["sessionId"], websocket)
        auto_start = params.get("autoStart", True)
        agent = await manager.create_agent_session(params["agentId"], auto_start)
        about = {"agentId": params["agentId"], "state": agent.state.value, "autoStarted": auto_start}
        return {"success": True, **about}

    @_telling
    async def send_task_to_agent(self, params: dict[str, Any], websocket: Any = None) -> dict[str, Any]:
        """Queue a task for an agent."""
        if not params.get("prompt"):
            return _invalid("prompt is required")
        manager = await self._get_or_create_manager(params.get("sessionId"))
        await manager.send_task_to_agent(params.get("agentId"), params["prompt"])
        return {"success": True, "agentId": params.get("agentId"), "taskQueued": True}

    @_telling
    async def sleep_agent(self, params: dict[str, Any], websocket: Any = None) -> dict[str, Any]:
        """Let an agent rest."""
        manager = await self._get_or_create_manager(params.get("sessionId"))
        await manager.sleep_agent(params.get("agentId"), params.get("durationSeconds"))
        about = {"duration": params.get("durationSeconds"), "wakeEvents": params.get("wakeEvents", [])}
        return {"success": True, "agentId": params.get("agentId"), "state": "sleeping", **about}

    @_telling
    async def wake_agent(self, params: dict[str, Any], websocket: Any = None) -> dict[str, Any]:
        """Let an agent work again."""
        reason = params.get("reason", "manual wake")
        manager = await self._get_or_create_manager(params.get("sessionId"))
        await manager.wake_agent(params.get("agentId"), reason)
        return {"success": True, "agentId": params.get("agentId"), "state": "idle", "reason": reason}

    @_telling
    async def stop_agent(self, params: dict[str, Any], websocket: Any = None) -> dict[str, Any]:
        """Stop an agent."""
        manager = await self._get_or_create_manager(params.get("sessionId"))
        await manager.stop_agent(params.get("agentId"))
        return {"success": True, "agentId": params.get("agentId"), "state": "stopped"}

    @_telling
    async def get_agent_states(self, params: dict[str, Any], websocket: Any = None) -> dict[str, Any]:
        """Say what each agent is doing."""
        manager = await self._get_or_create_manager(params.get("sessionId"))
        return {"success": True, "agents": manager.get_agent_states()}

    @_telling
    async def start_agent(self, params: dict[str, Any], websocket: Any = None) -> dict[str, Any]:
        """Say how an agent is; one that was stopped stays so."""
        manager = await self._get_or_create_manager(params.get("sessionId"))
        if params.get("agentId") not in manager.sessions:
            return _invalid(f"Agent {params.get('agentId')} not found")
        state = manager.sessions[params["agentId"]].state.value
        return {"success": True, "agentId": params["agentId"], "state": state}

    @_telling
    async def broadcast_event(self, params: dict[str, Any], websocket: Any = None) -> dict[str, Any]:
        """Tell the agents of an event."""
        if not params.get("event"):
            return _invalid("event is required")
        manager = await self._get_or_create_manager(params.get("sessionId"))
        await manager.broadcast_event(params["event"], params.get("data", {}))
        return {"success": True, "event": params["event"], "broadcast": True}

    async def cleanup_session(self, session_id: str) -> None:
        """Stop the agents of a session."""
        manager = self.async_managers.pop(session_id, None)
        if manager:
            await manager.stop()

    async def _get_or_create_manager(self, session_id: str | None, websocket: Any = None) -> Any:
        if session_id not in self.async_managers:
            session = self.session_manager.get_session(session_id)
            if session is None:
                raise ValueError(f"No session found: {session_id}")
            from ai_whisperer.services.agents.async_session_manager_v2 import AsyncAgentSessionManager

            async def notify(method: str, params: dict[str, Any]) -> None:
                # Only the socket that made the first agent is told, whoever uses the session later.
                if websocket is None:
                    return
                params = {**params, "sessionId": session_id}
                try:
                    await websocket.send_json({"jsonrpc": "2.0", "method": method, "params": params})
                except Exception as error:
                    logger.error("Failed to send notification: %s", error, exc_info=True)

            self.async_managers[session_id] = AsyncAgentSessionManager(session.config, notify)
            await self.async_managers[session_id].start()
        return self.async_managers[session_id]

    def handlers(self) -> dict[str, Any]:
        """Return the handlers by method."""
        return {
            "async.createAgent": self.create_async_agent,
            "async.sendTask": self.send_task_to_agent,
            "async.sleepAgent": self.sleep_agent,
            "async.wakeAgent": self.wake_agent,
            "async.startAgent": self.start_agent,
            "async.stopAgent": self.stop_agent,
            "async.broadcastEvent": self.broadcast_event,
            "async.getAgentStates": self.get_agent_states,
        }


def _invalid(message: str) -> dict[str, Any]:
    return {"error": "INVALID_PARAMS", "message": message}
