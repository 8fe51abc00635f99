"""The only dotted paths into AILoop: what is wrapped, in which generation, and what is lost without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ailoop_otel.server.agents import message_hook, switch_hook
from ailoop_otel.server.background import Managers, ask_hook, look_hook, manager_hook, task_hook
from ailoop_otel.server.delegates import Inboxes, event_hook, hand_over_hook
from ailoop_otel.server.inside import Host
from ailoop_otel.server.mailbox import check_hook, send_hook
from ailoop_otel.server.mcp import called_hook, register_hook, served_hook
from ailoop_otel.server.model import post_hook, start_hook, stream_hook
from ailoop_otel.server.patching import Target
from ailoop_otel.server.tools import batch_hook, lookup_hook, running_batch

STATELESS: Final = "stateless"
DELEGATES: Final = "delegates"
BOTH: Final = "both"

Wrapper = Callable[..., Any]


@dataclass(frozen=True)
class Memory:
    """What hooks have to remember between one function and another."""

    inboxes: Inboxes
    managers: Managers


Hook = Callable[[Host, Memory], Wrapper]


@dataclass(frozen=True)
class Row:
    """One function inside the server: where it is, in which generation, what it gives, the hook, `Target.needed`."""

    module: str
    path: str
    generation: str
    gives: str
    hook: Hook
    needed: Callable[[], object] | None = None


def _plain(hook: Callable[[Host], Wrapper]) -> Hook:
    return lambda host, memory: hook(host)


def _with_inboxes(hook: Callable[[Host, Inboxes], Wrapper]) -> Hook:
    return lambda host, memory: hook(host, memory.inboxes)


def _with_managers(hook: Callable[[Host, Managers], Wrapper]) -> Hook:
    return lambda host, memory: hook(host, memory.managers)


_SESSION: Final = "interactive_server.stateless_session_manager"
_LOOP: Final = "ai_whisperer.services.execution.ai_loop"
_AGENTS: Final = "ai_whisperer.services.agents.async_session_manager_v2"
_MAILBOX: Final = "ai_whisperer.extensions.mailbox.mailbox"

TARGETS: Final = (
    Row(_SESSION, "StatelessInteractiveSession.send_user_message", STATELESS, "agents", _plain(message_hook)),
    Row(_SESSION, "StatelessInteractiveSession.switch_agent", STATELESS, "agent switches", _plain(switch_hook)),
    Row(_LOOP, "StatelessAILoop._execute_tool_calls", STATELESS, "tools", _plain(batch_hook)),
    Row(
        "ai_whisperer.tools.tool_registry",
        "LazyToolRegistry.get_tool_by_name",
        STATELESS,
        "tools",
        _plain(lookup_hook),
        needed=running_batch,
    ),
    Row(
        "ai_whisperer.services.ai.openrouter",
        "OpenRouterAIService._stream_internal",
        STATELESS,
        "model calls",
        _plain(stream_hook),
    ),
    Row(
        "ai_whisperer.ai_service.openrouter_ai_service",
        "OpenRouterAIService._stream_chat_completion_internal",
        DELEGATES,
        "model calls",
        _plain(stream_hook),
    ),
    Row(
        "interactive_server.session_manager",
        "InteractiveSession.send_user_message",
        DELEGATES,
        "which message is answered",
        _with_inboxes(hand_over_hook),
    ),
    Row(
        "ai_whisperer.delegate_manager",
        "DelegateManager.invoke_notification",
        DELEGATES,
        "which message is answered",
        _with_inboxes(event_hook),
    ),
    Row(
        "interactive_server.async_agent_endpoints",
        "AsyncAgentEndpoints._get_or_create_manager",
        STATELESS,
        "the sessions of background agents",
        _with_managers(manager_hook),
    ),
    Row(
        _AGENTS,
        "AsyncAgentSessionManager.send_task_to_agent",
        STATELESS,
        "who asked for a background agent's task",
        _with_managers(ask_hook),
    ),
    Row(
        _AGENTS,
        "AsyncAgentSessionManager._process_task",
        STATELESS,
        "background agents' tasks",
        _with_managers(task_hook),
    ),
    Row(
        _AGENTS,
        "AsyncAgentSessionManager._check_mail_async",
        STATELESS,
        "the sessions of mail to background agents",
        _with_managers(look_hook),
    ),
    Row(_MAILBOX, "MailboxSystem.send_mail", STATELESS, "mail that is sent", _plain(send_hook)),
    Row(_MAILBOX, "MailboxSystem.check_mail", STATELESS, "mail that is read", _plain(check_hook)),
    Row(
        "mcp.server.fastmcp.server",
        "FastMCP.call_tool",
        STATELESS,
        "tools called through the MCP server",
        _plain(served_hook),
    ),
    Row(
        "ai_whisperer.mcp.server.fastmcp_runner",
        "FastMCPServer._register_tool",
        STATELESS,
        "failures of tools called through the MCP server",
        _plain(register_hook),
    ),
    Row(
        "ai_whisperer.mcp.client.client",
        "MCPClient.call_tool",
        STATELESS,
        "other MCP servers' tools",
        _plain(called_hook),
    ),
    Row("requests", "post", BOTH, "model calls", _plain(post_hook)),
    Row("threading", "Thread.start", BOTH, "model calls", _plain(start_hook)),
)


def inside_targets(host: Host) -> tuple[Target, ...]:
    """The table as what can be wrapped."""
    memory = Memory(Inboxes(), Managers())
    return tuple(Target(row.module, row.path, row.hook(host, memory), row.gives, row.needed) for row in TARGETS)
