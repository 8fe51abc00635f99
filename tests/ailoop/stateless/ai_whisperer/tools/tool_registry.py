"""The tools there are, loaded when they are first asked for."""

import importlib
from typing import Any

from ai_whisperer.tools.base_tool import AITool

_SPECS = {
    "list_directory": ("list_directory_tool", "ListDirectoryTool"),
    "execute_command": ("execute_command_tool", "ExecuteCommandTool"),
    "system_health_check": ("system_health_check_tool", "SystemHealthCheckTool"),
    "python_executor": ("python_executor_tool", "PythonExecutorTool"),
    "send_mail": ("send_mail_tool", "SendMailTool"),
    "send_mail_with_switch": ("send_mail_with_switch_tool", "SendMailWithSwitchTool"),
    "check_mail": ("check_mail_tool", "CheckMailTool"),
}


class LazyToolRegistry:
    """One instance of each tool."""

    def __init__(self) -> None:
        self._tools: dict[str, AITool] = {}

    def get_tool_by_name(self, name: str) -> AITool | None:
        """Return a tool, or None if there is none of that name."""
        if name not in self._tools and name in _SPECS:
            module, kind = _SPECS[name]
            self._tools[name] = getattr(importlib.import_module(f"ai_whisperer.tools.{module}"), kind)()
        return self._tools.get(name)

    def get_all_tools(self) -> list[AITool]:
        """Return all tools."""
        return [tool for name in _SPECS if (tool := self.get_tool_by_name(name))]

    def get_all_tool_definitions(self) -> list[dict[str, Any]]:
        """Return the definitions of all tools."""
        return [each.get_openrouter_tool_definition() for each in self.get_all_tools()]


ToolRegistry = LazyToolRegistry
_registry = LazyToolRegistry()


def get_tool_registry() -> LazyToolRegistry:
    """Return the one of this process."""
    return _registry
