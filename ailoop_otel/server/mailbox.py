"""Mail between agents: an event where it is sent and where it is found, never what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.context import Context, get_current

from ailoop_otel import names
from ailoop_otel.protocol.frame import harmless
from ailoop_otel.recording.spans import EMPTY
from ailoop_otel.recording.telemetry import Attributes, context_of_link
from ailoop_otel.server.background import LOOKING
from ailoop_otel.server.inside import Host, Inside

# How the server names whoever is no agent.
_USER = "user"


def send_hook(host: Host) -> Callable[..., Any]:
    """Wraps `send_mail`, which replaces the recipient by the name it knows."""

    def send(wrapped: Callable[..., Any], mailbox: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        with host.guard:
            inside = host.inside()
            if inside is not None:
                mail = args[0] if args else kwargs.get("mail")
                _tell(inside, names.EVENT_MAIL_SENT, _about(mail))
        return result

    return send


def check_hook(host: Host) -> Callable[..., Any]:
    """Wraps `check_mail`, which background agents call every few seconds; nothing found is nothing told."""

    def check(wrapped: Callable[..., Any], mailbox: Any, args: Any, kwargs: Any) -> Any:
        found = wrapped(*args, **kwargs)
        if found:
            with host.guard:
                inside = host.inside()
                if inside is not None:
                    # All in one box are for the same agent.
                    _tell(inside, names.EVENT_MAIL_READ, _about(found[-1]) | {names.MAIL_COUNT: len(found)})
        return found

    return check


def _about(mail: Any) -> Attributes:
    told = {
        names.MAIL_FROM: harmless(getattr(mail, "from_agent", None) or _USER),
        names.MAIL_TO: harmless(getattr(mail, "to_agent", None) or _USER),
        names.MAIL_PRIORITY: harmless(getattr(getattr(mail, "priority", None), "value", None)),
    }
    return {name: value for name, value in told.items() if value is not None}


def _tell(inside: Inside, name: str, attributes: Attributes) -> None:
    owner = inside.owner()
    session_id = owner.session_id if owner is not None else LOOKING.get()
    if session_id is not None:
        attributes[names.SESSION_ID] = session_id
    if owner is not None:
        inside.event(name, attributes, get_current(), owner)
    else:
        inside.event(name, attributes, _start_of(inside, session_id), inside.sessions.get(session_id))


def _start_of(inside: Inside, session_id: str | None) -> Context:
    link = inside.sessions.link(session_id) if session_id is not None else None
    return context_of_link(link) if link is not None else EMPTY
