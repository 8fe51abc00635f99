"""The only dotted paths into AILoop: each function that is hooked, its generation, and what users lose without it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ailoop_otel.server.agents import message_hook, switch_hook
from ailoop_otel.server.delegates import event_hook, queue_message_hook
from ailoop_otel.server.hooks import HookHost
from ailoop_otel.server.mailbox import check_hook, send_hook
from ailoop_otel.server.mcp import called_hook, register_hook, served_hook
from ailoop_otel.server.model import post_hook, start_hook, stream_hook
from ailoop_otel.server.patching import Target, Wrapper
from ailoop_otel.server.tasks import check_mail_hook, manager_hook, queue_hook, task_hook
from ailoop_otel.server.tools import batch_hook, lookup_hook, running_batch

# The generation of AILoop that a function exists in: the current one, the earlier one, or either.
STATELESS: Final = "stateless"
DELEGATES: Final = "delegates"
BOTH: Final = "both"


@dataclass(frozen=True)
class HookPoint:
    """One function inside the server: where it is, in which generation, what its hook gives, and what makes the hook.

    `gives` is what users lose without it, `needed` as in `Target`.
    """

    module: str
    path: str
    generation: str
    gives: str
    hook: Callable[[HookHost], Wrapper]
    needed: Callable[[], object] | None = None


_SESSION: Final = "interactive_server.stateless_session_manager"
_LOOP: Final = "ai_whisperer.services.execution.ai_loop"
_AGENTS: Final = "ai_whisperer.services.agents.async_session_manager_v2"
_MAILBOX: Final = "ai_whisperer.extensions.mailbox.mailbox"

TARGETS: Final = (
    HookPoint(_SESSION, "StatelessInteractiveSession.send_user_message", STATELESS, "agents", message_hook),
    HookPoint(_SESSION, "StatelessInteractiveSession.switch_agent", STATELESS, "agent switches", switch_hook),
    HookPoint(_LOOP, "StatelessAILoop._execute_tool_calls", STATELESS, "tools", batch_hook),
    HookPoint(
        "ai_whisperer.tools.tool_registry", "LazyToolRegistry.get_tool_by_name",
        STATELESS, "tools", lookup_hook, needed=running_batch,
    ),
    HookPoint(
        "ai_whisperer.services.ai.openrouter", "OpenRouterAIService._stream_internal",
        STATELESS, "model calls", stream_hook,
    ),
    HookPoint(
        "ai_whisperer.ai_service.openrouter_ai_service", "OpenRouterAIService._stream_chat_completion_internal",
        DELEGATES, "model calls", stream_hook,
    ),
    HookPoint(
        "interactive_server.session_manager", "InteractiveSession.send_user_message",
        DELEGATES, "which message is answered", queue_message_hook,
    ),
    HookPoint(
        "ai_whisperer.delegate_manager", "DelegateManager.invoke_notification",
        DELEGATES, "which message is answered", event_hook,
    ),
    HookPoint(
        "interactive_server.async_agent_endpoints", "AsyncAgentEndpoints._get_or_create_manager",
        STATELESS, "the sessions of background agents", manager_hook,
    ),
    HookPoint(
        _AGENTS, "AsyncAgentSessionManager.send_task_to_agent",
        STATELESS, "who asked for a background agent's task", queue_hook,
    ),
    HookPoint(_AGENTS, "AsyncAgentSessionManager._process_task", STATELESS, "background agents' tasks", task_hook),
    HookPoint(
        _AGENTS, "AsyncAgentSessionManager._check_mail_async",
        STATELESS, "the sessions of mail to background agents", check_mail_hook,
    ),
    HookPoint(_MAILBOX, "MailboxSystem.send_mail", STATELESS, "mail that is sent", send_hook),
    HookPoint(_MAILBOX, "MailboxSystem.check_mail", STATELESS, "mail that is read", check_hook),
    HookPoint(
        "mcp.server.fastmcp.server", "FastMCP.call_tool",
        STATELESS, "tools called through the MCP server", served_hook,
    ),
    HookPoint(
        "ai_whisperer.mcp.server.fastmcp_runner", "FastMCPServer._register_tool",
        STATELESS, "failures of tools called through the MCP server", register_hook,
    ),
    HookPoint(
        "ai_whisperer.mcp.client.client", "MCPClient.call_tool",
        STATELESS, "other MCP servers' tools", called_hook,
    ),
    HookPoint("requests", "post", BOTH, "model calls", post_hook),
    HookPoint("threading", "Thread.start", BOTH, "model calls", start_hook),
)  # fmt: skip


def generation() -> str:
    """The generation of AILoop that this process has imported; "" where it is none that is known."""
    owners = [(point.generation, sys.modules.get(point.module), point.path.partition(".")[0]) for point in TARGETS]
    found = [each for each, module, name in owners if each != BOTH and hasattr(module, name)]
    return max(found, key=found.count, default="")


def hook_targets(host: HookHost) -> tuple[Target, ...]:
    """The table with its hooks made, for `Patches.apply`."""
    return tuple(Target(point.module, point.path, point.hook(host), point.gives, point.needed) for point in TARGETS)
