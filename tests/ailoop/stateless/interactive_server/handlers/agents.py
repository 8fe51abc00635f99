"""The methods about agents."""

from collections.abc import Awaitable, Callable
from typing import Any

from ..stateless_session_manager import StatelessInteractiveSession, StatelessSessionManager

Handler = Callable[..., Awaitable[Any]]


def agent_handlers(sessions: StatelessSessionManager) -> dict[str, Handler]:
    """Return the handlers by method, bound to the sessions of one server."""

    async def find(params: Any, websocket: Any, make: bool) -> StatelessInteractiveSession | None:
        session = sessions.get_session_by_websocket(websocket)
        if session is None and "sessionId" in params:
            session = sessions.get_session(params["sessionId"])
        if session is None and make:
            await sessions.start_session(await sessions.create_session(websocket))
            session = sessions.get_session_by_websocket(websocket)
        return session

    async def agent_list_handler(params: Any, websocket: Any = None) -> Any:
        fields = ("name", "role", "description", "color", "shortcut", "icon")
        shown = [each for each in sessions.agent_registry.list_agents() if each.agent_id in "AD"]
        return {
            "agents": [
                {"agent_id": each.agent_id.lower(), **{key: getattr(each, key) for key in fields}} for each in shown
            ]
        }

    async def session_switch_agent_handler(params: Any, websocket: Any = None) -> Any:
        agent_id = params.get("agent_id")
        if agent_id and agent_id.lower() not in ("a", "d"):
            return _error(f"Agent '{agent_id}' requires an active workspace")
        session = await find(params, websocket, make=True)
        assert session is not None
        await session.switch_agent(agent_id)
        return {"success": True, "current_agent": agent_id}

    async def session_current_agent_handler(params: Any, websocket: Any = None) -> Any:
        session = await find(params, websocket, make=False)
        return {"current_agent": session.active_agent if session else None}

    async def session_handoff_handler(params: Any, websocket: Any = None) -> Any:
        to_agent = params.get("to_agent")
        session = await find(params, websocket, make=True)
        assert session is not None
        from_agent = session.active_agent
        try:
            await session.switch_agent(to_agent)
        except ValueError:
            return _error(f"Agent not found: {to_agent}")
        return {"success": True, "from_agent": from_agent, "to_agent": to_agent}

    return {
        "agent.list": agent_list_handler,
        "session.switch_agent": session_switch_agent_handler,
        "session.current_agent": session_current_agent_handler,
        "session.handoff": session_handoff_handler,
    }


def _error(message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": message}}
