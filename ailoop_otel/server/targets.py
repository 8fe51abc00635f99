"""The only dotted paths into AILoop: what is wrapped, in which generation, and what is lost without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ailoop_otel.server.agents import message_hook, switch_hook
from ailoop_otel.server.delegates import Inboxes, event_hook, hand_over_hook
from ailoop_otel.server.inside import Host
from ailoop_otel.server.model import post_hook, start_hook, stream_hook
from ailoop_otel.server.patching import Target
from ailoop_otel.server.tools import batch_hook, lookup_hook

STATELESS: Final = "stateless"
DELEGATES: Final = "delegates"
BOTH: Final = "both"

Hook = Callable[[Host, Inboxes], Callable[..., Any]]


@dataclass(frozen=True)
class Row:
    """One function inside the server: where it is, in which generation, what it gives, and the hook for it."""

    module: str
    path: str
    generation: str
    gives: str
    hook: Hook


def _plain(hook: Callable[[Host], Callable[..., Any]]) -> Hook:
    return lambda host, inboxes: hook(host)


_SESSION: Final = "interactive_server.stateless_session_manager"
_LOOP: Final = "ai_whisperer.services.execution.ai_loop"

TARGETS: Final = (
    Row(_SESSION, "StatelessInteractiveSession.send_user_message", STATELESS, "agents", _plain(message_hook)),
    Row(_SESSION, "StatelessInteractiveSession.switch_agent", STATELESS, "agent switches", _plain(switch_hook)),
    Row(_LOOP, "StatelessAILoop._execute_tool_calls", STATELESS, "tools", _plain(batch_hook)),
    Row(
        "ai_whisperer.tools.tool_registry", "LazyToolRegistry.get_tool_by_name", STATELESS, "tools", _plain(lookup_hook)
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
        hand_over_hook,
    ),
    Row(
        "ai_whisperer.delegate_manager",
        "DelegateManager.invoke_notification",
        DELEGATES,
        "which message is answered",
        event_hook,
    ),
    Row("requests", "post", BOTH, "model calls", _plain(post_hook)),
    Row("threading", "Thread.start", BOTH, "model calls", _plain(start_hook)),
)


def inside_targets(host: Host) -> tuple[Target, ...]:
    """The table as what can be wrapped."""
    inboxes = Inboxes()
    return tuple(Target(row.module, row.path, row.hook(host, inboxes), row.gives) for row in TARGETS)
