"""The sessions of a process. Each is a trace of its own; its start is exported at once and survives a killed server."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext

from ailoop_otel import names
from ailoop_otel.protocol.traits import NOTHING_KNOWN
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes, Telemetry, context_of_link
from ailoop_otel.tracking.usage import OF_ALL, Usage

STOPPED: Final = "stopped"
DISCONNECTED: Final = "disconnected"
FAILED: Final = "error"
SHUTDOWN: Final = "server_shutdown"
EVICTED: Final = "evicted"


class Session:
    """One session from its start to its end. `users` counts the connections that use it."""

    __slots__ = ("began", "ended", "errors", "id", "offset", "start", "traits", "turns", "usage", "users")

    def __init__(self, session_id: str, began: int, offset: int, start: SpanContext) -> None:
        self.id = session_id
        self.began = began
        self.offset = offset
        # Of the span of its start. Neither that nor a link to it is kept: each takes more memory than all other fields.
        self.start = start
        self.traits = NOTHING_KNOWN  # what is known of its server's dialect
        self.turns = 0
        self.errors = 0
        self.usage: Usage | None = None  # of its exchanges' model calls
        self.users = 0
        self.ended = False

    def used(self, usage: Usage) -> None:
        """Add what an exchange used."""
        self.usage = self.usage or Usage()
        self.usage.add(usage)

    @property
    def link(self) -> Link:
        """A link to the span of its start."""
        return Link(self.start)

    @property
    def context(self) -> Context:
        """The context to start spans in that belong to the session's trace."""
        return context_of_link(self.link)


class Ledger:
    """All sessions of the process, the open ones and those that were left and never stopped.

    Bounded by the setting `max_sessions`: beyond it the oldest is `evicted`. Used from the event loop only.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._most = telemetry.settings.max_sessions
        self._open: OrderedDict[str, Session] = OrderedDict()
        # The start spans of sessions that were left and not stopped: AILoop's current generation never frees these.
        self._left: OrderedDict[str, SpanContext] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, session_id: str | None) -> Session | None:
        """The open session with this id, if any."""
        return self._open.get(session_id) if session_id is not None else None

    def link(self, session_id: str) -> Link | None:
        """A link to the start of a session, open or left; None if the session is not known."""
        session = self._open.get(session_id)
        start = session.start if session is not None else self._left.get(session_id)
        return Link(start) if start is not None else None

    def was_left(self, session_id: str | None) -> bool:
        """Whether a session with this id ended because its last connection closed."""
        return session_id in self._left

    def start(self, session_id: str, began: int, now: int, cause: SpanContext | None = None) -> Session:
        """Begin a session, or resume one that was left; `cause` is the span of the call that started it.

        Times are monotonic nanoseconds. A session that is open is returned as it is.
        """
        known = self._open.get(session_id)
        if known is not None:
            return known
        if len(self._open) >= self._most:
            self.end(next(iter(self._open.values())), EVICTED, now)
        telemetry = self._telemetry
        offset = telemetry.offset()
        earlier = self._left.pop(session_id, None)
        if earlier is not None:
            telemetry.session_retained.add(-1)
        attributes: Attributes = {names.SESSION_ID: session_id}
        if earlier is not None:
            attributes[names.SESSION_RESUMED] = True
        links = [Link(context) for context in (cause, earlier) if context is not None]
        span = telemetry.span(names.SPAN_SESSION_START, began + offset, now + offset, attributes, links=links)
        session = Session(session_id, began, offset, span.get_span_context())
        self._open[session_id] = session
        telemetry.session_active.add(1)
        telemetry.defer(telemetry.event, names.EVENT_SESSION_START, now + offset, attributes, session.context)
        return session

    def turn(self, session: Session, outcome: str) -> None:
        """Count one exchange of a session."""
        session.turns += 1
        if outcome != "ok":
            session.errors += 1

    def leave(self, session: Session, now: int, reason: str = DISCONNECTED) -> None:
        """A connection that used the session has closed; with the last one it ends."""
        session.users -= 1
        if session.users <= 0:
            self.end(session, reason, now)

    def stop(self, session_id: str, now: int) -> None:
        """The session was stopped: the server no longer keeps it in memory."""
        session = self._open.get(session_id)
        if session is not None:
            self.end(session, STOPPED, now)
        elif self._left.pop(session_id, None) is not None:
            self._telemetry.session_retained.add(-1)

    def end(self, session: Session, reason: str, now: int) -> None:
        """End a session and record its span, event and metrics; a second call does nothing."""
        if session.ended:
            return
        session.ended = True
        self._open.pop(session.id, None)
        telemetry = self._telemetry
        telemetry.session_active.add(-1)
        if reason not in (STOPPED, SHUTDOWN):
            self._retain(session)
        telemetry.defer(self._record, session, reason, now)

    def _record(self, session: Session, reason: str, now: int) -> None:
        telemetry = self._telemetry
        attributes: Attributes = {
            names.SESSION_ID: session.id,
            names.SESSION_TURNS: session.turns,
            names.SESSION_ERRORS: session.errors,
            names.SESSION_END_REASON: reason,
        }
        if session.usage is not None:
            attributes |= session.usage.attributes(OF_ALL)
        context = session.context
        end = max(now, session.began + SHORTEST) + session.offset
        telemetry.span(
            names.SPAN_SESSION,
            session.began + session.offset,
            end,
            attributes,
            context,
            error=reason == FAILED,
        )
        telemetry.event(names.EVENT_SESSION_END, end, attributes, context)
        labels = {names.SESSION_END_REASON: reason}
        telemetry.session_duration.record((now - session.began) / SECOND, labels, context)
        telemetry.session_turns.record(session.turns, labels, context)

    def shut_down(self, now: int) -> None:
        """End every open session, because the server stops."""
        for session in list(self._open.values()):
            with self._telemetry.guard:
                self.end(session, SHUTDOWN, now)

    def _retain(self, session: Session) -> None:
        self._left[session.id] = session.start
        self._telemetry.session_retained.add(1)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
