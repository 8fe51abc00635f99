"""The tools there are: none, the server of this generation registers none."""

from typing import Any


class ToolRegistry:
    """An empty registry."""

    def get_tool_by_name(self, name: str) -> Any:
        """Return None: there is no tool of any name."""

    def get_all_tool_definitions(self) -> list[dict[str, Any]]:
        """Return no definitions."""
        return []


_registry = ToolRegistry()


def get_tool_registry() -> ToolRegistry:
    """Return the one of this process."""
    return _registry
