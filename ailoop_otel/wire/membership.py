"""The sessions that one connection uses."""

from __future__ import annotations

from ailoop_otel.protocol import Dialect
from ailoop_otel.protocol.frame import Request
from ailoop_otel.tracking.sessions import Ledger, Session


class Membership:
    """Which sessions a connection uses, and which of them its messages go to."""

    __slots__ = ("_first", "_ledger", "_others", "own")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # Nearly all use one: a set of their own would be a tenth of what a connection holds.
        self._first: Session | None = None
        self._others: set[Session] | None = None
        self.own: Session | None = None  # the latest that this socket started

    def of(self, request: Request, dialect: Dialect | None, now: int) -> Session | None:
        """The session that a message goes to; one that was left is taken up again."""
        own = self.own
        if own is not None and not own.ended and dialect is not None and dialect.socket_owns_session:
            return own
        session = self._ledger.get(request.session_id)
        if session is None and request.session_id is not None and self._ledger.was_left(request.session_id):
            session = self._ledger.start(request.session_id, now, now)
        return session

    def use(self, session: Session) -> None:
        """The connection uses a session from now on."""
        if session is self._first or (self._others is not None and session in self._others):
            return
        if self._first is None:
            self._first = session
        elif self._others is None:
            self._others = {session}
        else:
            self._others.add(session)
        session.users += 1

    def leave(self, now: int, reason: str) -> None:
        """The connection uses none of them any more."""
        used = [self._first] if self._first is not None else []
        used += self._others or ()
        self.own = self._first = self._others = None
        for session in used:
            self._ledger.leave(session, now, reason)
