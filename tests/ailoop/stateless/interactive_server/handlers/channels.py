"""The methods about channels, and some that answer always the same."""

from collections.abc import Awaitable, Callable
from typing import Any

from ..message_models import ChannelHistoryRequest, ChannelHistoryResponse, ChannelVisibilityUpdate
from ..stateless_session_manager import StatelessInteractiveSession, StatelessSessionManager

Handler = Callable[..., Awaitable[Any]]


def channel_handlers(sessions: StatelessSessionManager) -> dict[str, Handler]:
    """Return the handlers by method, bound to the sessions of one server."""

    def find(session_id: str) -> StatelessInteractiveSession:
        session = sessions.get_session(session_id)
        if session is None:
            raise ValueError(f"Session {session_id} not found")
        return session

    async def channel_get_history_handler(params: Any, websocket: Any = None) -> Any:
        request = ChannelHistoryRequest(**params)
        channels = find(request.sessionId).channel_integration
        messages = channels.get_channel_history(request.sessionId, request.limit)
        return ChannelHistoryResponse(messages=messages, totalCount=len(messages)).model_dump()

    async def channel_update_visibility_handler(params: Any, websocket: Any = None) -> Any:
        request = ChannelVisibilityUpdate(**params)
        find(request.sessionId).channel_integration.set_visibility_preferences(
            request.sessionId, request.showCommentary, request.showAnalysis
        )
        return {"success": True, "sessionId": request.sessionId}

    async def channel_get_stats_handler(params: Any, websocket: Any = None) -> Any:
        session_id = params.get("sessionId")
        return find(session_id).channel_integration.get_session_stats(session_id)

    return {
        "channel.history": channel_get_history_handler,
        "channel.updateVisibility": channel_update_visibility_handler,
        "channel.stats": channel_get_stats_handler,
    }


async def debbie_get_status_handler(params: Any, websocket: Any = None) -> Any:
    """Say that there is no monitoring."""
    return {"enabled": False, "message": "Debbie monitoring not initialized"}


async def debbie_get_alerts_handler(params: Any, websocket: Any = None) -> Any:
    """Say that there is no monitoring."""
    return {"alerts": [], "message": "Debbie monitoring not initialized"}


async def list_plans_handler(params: Any, websocket: Any = None) -> Any:
    """Return no plans: there are none."""
    return {"plans": []}


async def dispatch_command_handler(params: Any, websocket: Any = None) -> Any:
    """Run a command; its errors have a shape of their own."""
    command = params.get("command", "")
    if not command.startswith("/"):
        return {"error": "Invalid command format. Must start with /"}
    name, _, arguments = command[1:].partition(" ")
    if name != "echo":
        return {"error": f"Unknown command: {name}"}
    return {"output": arguments}


FIXED_HANDLERS: dict[str, Handler] = {
    "debbie.status": debbie_get_status_handler,
    "debbie.alerts": debbie_get_alerts_handler,
    "plan.list": list_plans_handler,
    "dispatchCommand": dispatch_command_handler,
}
