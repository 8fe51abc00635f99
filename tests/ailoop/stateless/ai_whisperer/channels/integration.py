"""The channels of all sessions: routing, visibility, history."""

from collections import defaultdict
from typing import Any

from .router import CHANNELS, ChannelMessage, ChannelRouter


class ChannelIntegration:
    """What the session uses of the channels."""

    def __init__(self) -> None:
        self._routers: dict[str, ChannelRouter] = {}
        self._history: dict[str, list[ChannelMessage]] = defaultdict(list)
        self._visibility: dict[str, dict[str, bool]] = {}

    def process_ai_response(
        self,
        session_id: str,
        content: str,
        agent_id: str | None = None,
        is_partial: bool = False,
        is_structured: bool = False,
    ) -> list[dict[str, Any]]:
        """Route an answer, remember it, and return the messages that the client may see."""
        router = self._routers.setdefault(session_id, ChannelRouter(session_id))
        router.agent_id = agent_id
        messages = router.route_response(content, is_partial, is_structured)
        self._history[session_id] += messages
        visible = self.get_visibility_preferences(session_id)
        return [as_frame(each) for each in messages if visible.get(f"show_{each.channel}", True)]

    def get_visibility_preferences(self, session_id: str) -> dict[str, bool]:
        """Return which channels a session's client sees."""
        return self._visibility.get(session_id, {"show_commentary": True, "show_analysis": False})

    def set_visibility_preferences(self, session_id: str, show_commentary: bool, show_analysis: bool = False) -> None:
        """Choose which channels a session's client sees."""
        self._visibility[session_id] = {"show_commentary": show_commentary, "show_analysis": show_analysis}

    def get_channel_history(self, session_id: str, limit: int | None = None) -> list[dict[str, Any]]:
        """Return what was routed so far."""
        return [as_frame(each) for each in self._history[session_id][-(limit or 0) :]]

    def get_session_stats(self, session_id: str) -> dict[str, Any]:
        """Return how many messages each channel had."""
        counts = [each.channel for each in self._history[session_id]]
        stats: dict[str, Any] = {f"{each}_count": counts.count(each) for each in CHANNELS}
        return stats | {"visibility": self.get_visibility_preferences(session_id)}

    def clear_session(self, session_id: str) -> None:
        """Forget the messages of a session."""
        self._history.pop(session_id, None)
        self._visibility.pop(session_id, None)


def as_frame(message: ChannelMessage) -> dict[str, Any]:
    """Return a message as the client gets it."""
    metadata = {
        "sequence": message.sequence,
        "timestamp": message.timestamp.isoformat(),
        "agentId": message.agent_id,
        "sessionId": message.session_id,
        "toolCalls": None,
        "continuationDepth": None,
        "isPartial": False,
    }
    return {
        "type": "channel_message",
        "channel": message.channel,
        "content": message.content,
        "metadata": metadata,
    }


_integration = ChannelIntegration()


def get_channel_integration() -> ChannelIntegration:
    """Return the one of this process."""
    return _integration
