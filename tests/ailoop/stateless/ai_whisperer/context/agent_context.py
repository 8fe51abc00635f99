"""An agent's memory of the conversation."""

from typing import Any


class AgentContext:
    """The messages of one agent in one session, the system prompt first."""

    def __init__(self, agent_id: str, system_prompt: str = "") -> None:
        self.agent_id = agent_id
        self._messages: list[dict[str, Any]] = []
        if system_prompt:
            self._messages.append({"role": "system", "content": system_prompt})

    def retrieve_messages(self) -> list[dict[str, Any]]:
        """Return a copy of the messages."""
        return list(self._messages)

    def store_message(self, message: dict[str, Any]) -> None:
        """Remember one more message."""
        self._messages.append(message)
