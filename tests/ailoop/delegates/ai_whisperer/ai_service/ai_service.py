"""What the loop needs of a model service."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass
class AIStreamChunk:
    """One piece of a streamed answer."""

    delta_content: str | None = None
    delta_tool_call_part: list[dict[str, Any]] | None = None
    finish_reason: str | None = None


class AIService(ABC):
    """A provider of streamed answers."""

    @abstractmethod
    def stream_chat_completion(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None = None, **kwargs: Any
    ) -> AsyncIterator[AIStreamChunk]:
        """Stream the answer to a conversation."""
