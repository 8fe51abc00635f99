"""An asynchronous tool: it waits without blocking anybody."""

import asyncio
from typing import Any

from ai_whisperer.tools.base_tool import AITool


class SystemHealthCheckTool(AITool):
    """Pretend to check the system, in `seconds`."""

    name = "system_health_check"
    category = "Debugging"

    async def execute(self, seconds: float = 0, **kwargs: Any) -> dict[str, Any]:
        """Wait and return."""
        await asyncio.sleep(float(kwargs.get("arguments", {}).get("seconds", seconds)))
        return {"health": "good"}
