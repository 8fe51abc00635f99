"""A tool that always fails: it takes none of the extra arguments that every call has."""

from typing import Any

from ai_whisperer.tools.base_tool import AITool


class PythonExecutorTool(AITool):
    """Pretend to run Python."""

    name = "python_executor"
    category = "Debugging"

    def execute(self, script: str = "") -> dict[str, Any]:
        """Return nothing of interest."""
        return {"output": script}
