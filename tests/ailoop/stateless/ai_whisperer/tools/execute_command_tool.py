"""The tool that blocks the event loop for as long as its command runs."""

import subprocess
from typing import Any

from ai_whisperer.tools.base_tool import AITool


class ExecuteCommandTool(AITool):
    """Run a shell command; it has no time limit."""

    name = "execute_command"
    category = "System"
    tags = ["code_execution", "utility"]

    def execute(self, command: str, cwd: str = ".", **kwargs: Any) -> dict[str, Any]:
        """Run `command` and return what it wrote."""
        done = subprocess.run(command, shell=True, cwd=cwd, capture_output=True, text=True, check=False)
        return {"stdout": done.stdout, "stderr": done.stderr, "returncode": done.returncode}
