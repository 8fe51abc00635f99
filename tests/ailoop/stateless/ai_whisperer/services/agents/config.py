"""The settings of an agent."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class AgentConfig:
    """What an agent is called, told, and answered by."""

    name: str
    description: str
    system_prompt: str
    model_name: str
    provider: str = "openrouter"
    api_settings: dict[str, Any] = field(default_factory=dict)
    generation_params: dict[str, Any] = field(default_factory=dict)
