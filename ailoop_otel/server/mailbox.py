"""Mail between agents: a log event where it is sent and where it is read, without anything of its content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.context import Context, get_current

from ailoop_otel import names
from ailoop_otel.protocol.foreign import harmless
from ailoop_otel.recording.spans import EMPTY
from ailoop_otel.recording.telemetry import Attributes, context_of_link
from ailoop_otel.server.hooks import HookContext, HookHost, argument, returned
from ailoop_otel.server.tasks import MAIL_SESSION

# How the server names a sender or recipient that is no agent.
_USER = "user"


def send_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `send_mail`, which replaces the recipient by the name it knows."""
    return returned(host, _sent)


def check_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `check_mail`, which background agents call every few seconds: an empty box is no event."""
    return returned(host, _checked)


def _sent(hooks: HookContext, result: Any, args: Any, kwargs: Any) -> None:
    _record(hooks, names.EVENT_MAIL_SENT, _mail_attributes(argument(args, kwargs, 0, "mail")))


def _checked(hooks: HookContext, found: Any, args: Any, kwargs: Any) -> None:
    if found:
        # All mail in one box is for the same agent.
        _record(hooks, names.EVENT_MAIL_READ, _mail_attributes(found[-1]) | {names.MAIL_COUNT: len(found)})


def _mail_attributes(mail: Any) -> Attributes:
    attributes = {
        names.MAIL_FROM: harmless(getattr(mail, "from_agent", None) or _USER),
        names.MAIL_TO: harmless(getattr(mail, "to_agent", None) or _USER),
        names.MAIL_PRIORITY: harmless(getattr(getattr(mail, "priority", None), "value", None)),
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _record(hooks: HookContext, name: str, attributes: Attributes) -> None:
    owner = hooks.owner()
    session_id = owner.session_id if owner is not None else MAIL_SESSION.get()
    if session_id is not None:
        attributes[names.SESSION_ID] = session_id
    if owner is not None:
        hooks.event(name, attributes, get_current(), owner)
    else:
        hooks.event(name, attributes, _start_of(hooks, session_id), hooks.sessions.get(session_id))


def _start_of(hooks: HookContext, session_id: str | None) -> Context:
    link = hooks.sessions.link(session_id) if session_id is not None else None
    return context_of_link(link) if link is not None else EMPTY
