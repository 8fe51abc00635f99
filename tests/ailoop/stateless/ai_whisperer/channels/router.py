"""Routing of an answer's parts to the channels analysis, commentary and final."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

CHANNELS = ("analysis", "commentary", "final")


@dataclass
class ChannelMessage:
    """One message on one channel."""

    channel: str
    content: str
    sequence: int
    agent_id: str | None
    session_id: str
    timestamp: datetime = field(default_factory=lambda: datetime.now(timezone.utc))


class ChannelRouter:
    """Numbers and routes the messages of one session."""

    def __init__(self, session_id: str, agent_id: str | None = None) -> None:
        self.session_id = session_id
        self.agent_id = agent_id
        self._sequence = 0

    def route_response(
        self, content: str, is_partial: bool = False, is_structured: bool = False
    ) -> list[ChannelMessage]:
        """Return the messages that an answer consists of."""
        parts: dict[str, Any] = json.loads(content) if is_structured else {"final": content.strip()}
        return [self._message(channel, parts[channel]) for channel in CHANNELS if parts.get(channel)]

    def _message(self, channel: str, content: str) -> ChannelMessage:
        self._sequence += 1
        return ChannelMessage(channel, content, self._sequence, self.agent_id, self.session_id)
