"""Putting streamed tool calls together."""

from typing import Any


class ToolCallAccumulator:
    """Collects the parts of tool calls by their index."""

    def __init__(self) -> None:
        self.tool_calls: dict[int, dict[str, Any]] = {}

    def add_chunk(self, parts: list[dict[str, Any]]) -> None:
        """Take in the parts of one chunk."""
        for part in parts:
            function = part.get("function", {})
            fresh = {
                "id": part.get("id"),
                "type": part.get("type", "function"),
                "function": {"name": function.get("name"), "arguments": ""},
            }
            call = self.tool_calls.setdefault(part.get("index", 0), fresh)
            call["function"]["arguments"] += function.get("arguments", "")

    def get_tool_calls(self) -> list[dict[str, Any]]:
        """Return the calls that have an id and a name."""
        return [each for each in self.tool_calls.values() if each["id"] and each["function"]["name"]]
