"""The only dotted paths into AILoop: each function that is wrapped, its generation, and what users lose without it."""

from __future__ import annotations

import sys
from typing import Final

from ailoop_otel.server.agents import message_hook, switch_hook
from ailoop_otel.server.delegates import event_hook, queue_message_hook
from ailoop_otel.server.mailbox import check_hook, send_hook
from ailoop_otel.server.mcp import called_hook, register_hook, served_hook
from ailoop_otel.server.model import post_hook, start_hook, stream_hook
from ailoop_otel.server.patching import Target
from ailoop_otel.server.tasks import check_mail_hook, manager_hook, queue_hook, task_hook
from ailoop_otel.server.tools import batch_hook, lookup_hook, running_batch

# The generation of AILoop that a function exists in: the current one, the earlier one, or either.
STATELESS: Final = "stateless"
DELEGATES: Final = "delegates"
BOTH: Final = "both"


_SESSION: Final = "interactive_server.stateless_session_manager"
_LOOP: Final = "ai_whisperer.services.execution.ai_loop"
_AGENTS: Final = "ai_whisperer.services.agents.async_session_manager_v2"
_MAILBOX: Final = "ai_whisperer.extensions.mailbox.mailbox"

TARGETS: Final = (
    Target(_SESSION, "StatelessInteractiveSession.send_user_message", message_hook, STATELESS, "agents"),
    Target(_SESSION, "StatelessInteractiveSession.switch_agent", switch_hook, STATELESS, "agent switches"),
    Target(_LOOP, "StatelessAILoop._execute_tool_calls", batch_hook, STATELESS, "tools"),
    Target(
        "ai_whisperer.tools.tool_registry", "LazyToolRegistry.get_tool_by_name",
        lookup_hook, STATELESS, "tools", needed=running_batch,
    ),
    Target(
        "ai_whisperer.services.ai.openrouter", "OpenRouterAIService._stream_internal",
        stream_hook, STATELESS, "model calls",
    ),
    Target(
        "ai_whisperer.ai_service.openrouter_ai_service", "OpenRouterAIService._stream_chat_completion_internal",
        stream_hook, DELEGATES, "model calls",
    ),
    Target(
        "interactive_server.session_manager", "InteractiveSession.send_user_message",
        queue_message_hook, DELEGATES, "which message is answered",
    ),
    Target(
        "ai_whisperer.delegate_manager", "DelegateManager.invoke_notification",
        event_hook, DELEGATES, "which message is answered",
    ),
    Target(
        "interactive_server.async_agent_endpoints", "AsyncAgentEndpoints._get_or_create_manager",
        manager_hook, STATELESS, "the sessions of background agents",
    ),
    Target(
        _AGENTS, "AsyncAgentSessionManager.send_task_to_agent",
        queue_hook, STATELESS, "who asked for a background agent's task",
    ),
    Target(_AGENTS, "AsyncAgentSessionManager._process_task", task_hook, STATELESS, "background agents' tasks"),
    Target(
        _AGENTS, "AsyncAgentSessionManager._check_mail_async",
        check_mail_hook, STATELESS, "the sessions of mail to background agents",
    ),
    Target(_MAILBOX, "MailboxSystem.send_mail", send_hook, STATELESS, "mail that is sent"),
    Target(_MAILBOX, "MailboxSystem.check_mail", check_hook, STATELESS, "mail that is read"),
    Target(
        "mcp.server.fastmcp.server", "FastMCP.call_tool",
        served_hook, STATELESS, "tools called through the MCP server",
    ),
    Target(
        "ai_whisperer.mcp.server.fastmcp_runner", "FastMCPServer._register_tool",
        register_hook, STATELESS, "failures of tools called through the MCP server",
    ),
    Target("ai_whisperer.mcp.client.client", "MCPClient.call_tool", called_hook, STATELESS, "other MCP servers' tools"),
    Target("requests", "post", post_hook, BOTH, "model calls"),
    Target("threading", "Thread.start", start_hook, BOTH, "model calls"),
)  # fmt: skip


def generation() -> str:
    """The generation of AILoop that this process has imported; "" where it is none that is known."""
    owners = [(each.generation, sys.modules.get(each.module), each.path.partition(".")[0]) for each in TARGETS]
    found = [each for each, module, name in owners if each != BOTH and hasattr(module, name)]
    return max(found, key=found.count, default="")
