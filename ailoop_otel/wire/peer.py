"""What is known of one connection: how its server speaks, its calls, exchanges and sessions."""

from __future__ import annotations

from typing import Any

from ailoop_otel import names
from ailoop_otel.protocol import Dialect
from ailoop_otel.protocol.frame import identifier
from ailoop_otel.tracking.exchange import NO_FRAME, Exchange
from ailoop_otel.tracking.sessions import Session
from ailoop_otel.wire.call import Call, client_of
from ailoop_otel.wire.membership import Membership
from ailoop_otel.wire.state import Wire
from ailoop_otel.wire.trust import handshake_trace


class Peer:
    """The state of one connection. `head` is how a frame begins that streams an answer, once that is known."""

    __slots__ = (
        "calls", "client", "closed", "dialect", "exchanges", "handshake", "head", "sessions", "stranger", "wire",
    )  # fmt: skip

    def __init__(self, wire: Wire, scope: Any) -> None:
        self.wire = wire
        self.dialect: Dialect | None = None
        self.head: str | tuple[str, ...] = NO_FRAME
        self.client = client_of(scope)
        self.handshake = handshake_trace(scope)
        self.calls: list[Call] = []
        self.exchanges: list[Exchange] = []
        self.sessions = Membership(wire.ledger)
        self.stranger = False  # a message was replied to as no known dialect does
        self.closed = False

    @property
    def over(self) -> bool:
        """Whether what happens on it is nobody's any more."""
        return self.closed or not self.wire.active

    def find(self, text: str) -> Exchange | None:
        """The exchange that a chunk belongs to where the sender's context does not tell."""
        return self.of_session(self.dialect.chunk_session(text) if self.dialect is not None else None)

    def see_session(self, exchange: Exchange, session_id: str | None) -> None:
        """A session that the server made without being asked begins when its id is first seen."""
        session_id = identifier(session_id)
        if session_id is None or exchange.session_id is not None:
            return
        now = self.wire.telemetry.clock.now()
        session = self.wire.ledger.start(session_id, exchange.received, now)
        self.use(session)
        if self.sessions.own is None or self.sessions.own.ended:
            self.sessions.own = session
        self.wire.move(exchange, session_id)
        exchange.span.set_attribute(names.SESSION_ID, session_id)
        exchange.span.add_link(session.link.context)

    def use(self, session: Session) -> None:
        """The connection uses a session from now on; what one knows of the server's dialect the other learns."""
        self.sessions.use(session)
        if self.dialect is None and session.dialect is not None:
            self.learn(session.dialect)
        elif session.dialect is None:
            session.dialect = self.dialect

    def of_session(self, session_id: str | None) -> Exchange | None:
        """The exchange that a session is answering, else the only one open on this connection."""
        exchange = self.wire.queues.head(session_id)
        if exchange is None and len(self.exchanges) == 1:
            only = self.exchanges[0]
            # Not one of another session: that frame's own exchange has ended.
            if session_id is None or only.session_id is None:
                only.correlation = "connection"
                exchange = only
        return exchange

    def learn(self, dialect: Any) -> None:
        """The server's dialect became known."""
        if dialect is not None:
            self.dialect = dialect
            self.head = dialect.chunk_head
