"""Slash commands typed as messages."""

from datetime import datetime
from typing import Any

_HELP = """Available commands:
• /clear - Clear context for current agent
• /clear <agent> - Clear context for specific agent
• /clear all - Clear context for all agents
• /save - Save current session
• /save <filepath> - Save session to specific file
• /load <filepath> - Load session from file
• /debug - Show debug status or configure debug options
• /help - Show this help message"""


async def run_command(session: Any, message: str) -> bool:
    """Run a command and return whether there is one of that name."""
    command = message.split(maxsplit=1)[0].lower()
    if command == "/help":
        await _say(session, _HELP)
    elif command == "/clear":
        await session.send_notification("context.cleared", {"agent_id": session.active_agent, "items_cleared": 0})
        await _say(session, f"Cleared 0 context items for agent {session.active_agent}")
    elif command == "/debug":
        await _say(session, "Debug mode is not active")
    else:
        return False
    return True


async def _say(session: Any, message: str) -> None:
    params = {
        "agent_id": "system",
        "message": message,
        "timestamp": datetime.now().isoformat(),
        "type": "system",
    }
    await session.send_notification("agent.message", params)
