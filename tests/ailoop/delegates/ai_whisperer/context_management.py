"""A session's memory of the conversation."""

from typing import Any


class ContextManager:
    """The messages so far."""

    def __init__(self) -> None:
        self._history: list[dict[str, Any]] = []

    def add_message(self, message: dict[str, Any]) -> None:
        """Remember one more message."""
        self._history.append(message)

    def get_history(self) -> list[dict[str, Any]]:
        """Return the messages themselves, not a copy."""
        return self._history

    def clear_history(self) -> None:
        """Forget all."""
        self._history = []
