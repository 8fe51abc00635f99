"""What every tool is."""

from abc import ABC, abstractmethod
from typing import Any


class AITool(ABC):
    """A tool that a model may ask for."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that the model uses."""

    @property
    def description(self) -> str:
        """What it does."""
        return (self.__doc__ or "").strip()

    @property
    def parameters_schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments."""
        return {"type": "object", "properties": {}}

    @property
    def category(self) -> str | None:
        """The family it belongs to."""
        return None

    @property
    def tags(self) -> list[str]:
        """Words to find it by."""
        return []

    def get_openrouter_tool_definition(self) -> dict[str, Any]:
        """Return the definition that goes to the provider."""
        about = {"name": self.name, "description": self.description, "parameters": self.parameters_schema}
        return {"type": "function", "function": about}

    @abstractmethod
    def execute(self, **kwargs: Any) -> Any:
        """Do it; synchronous tools block the event loop."""
