"""A harmless tool."""

from pathlib import Path
from typing import Any

from ai_whisperer.tools.base_tool import AITool


class ListDirectoryTool(AITool):
    """List a directory of the workspace."""

    name = "list_directory"
    category = "File System"
    tags = ["filesystem", "directory_browse", "analysis"]

    def execute(self, arguments: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, Any]:
        """Return the names in the directory `path`."""
        path = Path.cwd() / (arguments or kwargs).get("path", ".")
        if not path.is_dir():
            return {"error": f"Path '{path.name}' does not exist.", "entries": []}
        entries = sorted(each.name for each in path.iterdir())
        return {"path": path.name, "entries": entries, "total": len(entries)}
