"""The agents there are."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Agent:
    """One agent as the registry knows it; without a model of its own it uses the configured one."""

    agent_id: str
    name: str
    role: str
    model: str | None = None
    description: str = ""
    color: str = "#000000"
    icon: str = "*"
    tool_sets: tuple[str, ...] = field(default=())

    @property
    def shortcut(self) -> str:
        """The letter in brackets."""
        return f"[{self.agent_id}]"


_AGENTS = (
    Agent("A", "Alice the AI Assistant", "assistant"),
    Agent("P", "Patricia the Planner", "planner"),
    Agent("T", "Tessa the Tester", "tester"),
    Agent("D", "Debbie the Debugger", "debugger", "openai/gpt-4o"),
    Agent("E", "Eamonn the Executioner", "executioner", "anthropic/claude-3-opus"),
)


class AgentRegistry:
    """Finds agents by letter and by name."""

    def get_agent(self, agent_id: str) -> Agent | None:
        """Return the agent of a letter."""
        return next((each for each in _AGENTS if each.agent_id == agent_id.upper()), None)

    def list_agents(self) -> list[Agent]:
        """Return all agents."""
        return list(_AGENTS)

    def resolve_agent_name_to_id(self, name: str) -> str:
        """Return the letter, in lower case, of an agent given by letter, first or full name."""
        wanted = name.strip().lower()
        for each in _AGENTS:
            if wanted in (each.agent_id.lower(), each.name.lower(), each.name.lower().split()[0]):
                return each.agent_id.lower()
        raise ValueError(f"Unknown agent: {name}")
