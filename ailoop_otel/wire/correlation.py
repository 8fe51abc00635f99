"""Which exchange and which session a frame belongs to, and what frames show of how the server speaks."""

from __future__ import annotations

from ailoop_otel.protocol.dialect import Dialect
from ailoop_otel.protocol.foreign import identifier
from ailoop_otel.protocol.traits import NOTHING_KNOWN, Traits
from ailoop_otel.tracking.exchange import BY_CONNECTION, Exchange, current_exchange
from ailoop_otel.tracking.sessions import Session
from ailoop_otel.wire.state import UsedSessions, Wire


class Correlation:
    """What one connection is known to use: its open exchanges, its sessions, and the traits of its server."""

    __slots__ = ("exchanges", "sessions", "traits", "wire")

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.traits: Traits = NOTHING_KNOWN
        self.exchanges: list[Exchange] = []
        self.sessions = UsedSessions(wire.ledger)

    # --- Exchanges -----------------------------------------------------------------------------------------
    def find(self, session_id: str | None) -> Exchange | None:
        """The exchange of a frame: by the sender's context, else by the session's queue, else the only one here."""
        exchange = current_exchange()
        if exchange is not None and self.is_for(exchange, session_id):
            return exchange
        exchange = self.wire.queues.head(session_id)
        if exchange is None and (session_id is not None or len(self.exchanges) == 1):
            # Not one of another session: that frame's own exchange has ended. The oldest, as in a queue.
            exchange = next((each for each in self.exchanges if self.is_for(each, session_id)), None)
            if exchange is not None:
                exchange.correlation = BY_CONNECTION
        return exchange

    def is_for(self, exchange: Exchange, session_id: str | None) -> bool:
        """Whether a frame may be for an exchange by the session it names: no frame of another session is."""
        if session_id is None or session_id == exchange.session_id:
            return True
        own = self.sessions.own
        is_own = own is not None and own.id == session_id and exchange.home is self.exchanges
        if exchange.session_id is None:
            return is_own or exchange.named is None or session_id == exchange.named
        if not is_own and (session_id != exchange.named or self.traits.proved("socket_owns_session")):
            return False
        # The message went to the other one of the two than it seemed.
        self.revise(self.traits.proven("socket_owns_session", is_own))
        self.wire.move(exchange, session_id)
        return True

    # --- Sessions ------------------------------------------------------------------------------------------
    def see_session(self, exchange: Exchange, session_id: str | None) -> None:
        """A session that the server made without being asked begins when its id is first seen."""
        session_id = identifier(session_id)
        if session_id is None or exchange.session_id is not None:
            return
        now = self.wire.telemetry.clock.now()
        session = self.wire.ledger.start(session_id, exchange.received, now)
        self.use(session)
        own = self.sessions.own
        if own is None or own.ended:
            self.sessions.own = session
        else:
            self.revise(self.traits.proven("socket_owns_session", own is session))
        self.wire.move(exchange, session_id)
        exchange.span.add_link(session.start)

    def use(self, session: Session) -> None:
        """The connection uses a session; what the one knows of the server's dialect the other learns."""
        self.sessions.use(session)
        self.adopt(session.traits)
        if session.traits is NOTHING_KNOWN:
            session.traits = self.traits

    # --- The server's traits -------------------------------------------------------------------------------
    def learn(self, dialect: Dialect | None) -> None:
        """A frame was sent that only `dialect` sends."""
        if dialect is not None and dialect not in self.traits.dialects:
            self.revise(self.traits.seen(dialect))

    def adopt(self, traits: Traits) -> None:
        """Begin with what another connection of the same session has shown."""
        if self.traits is NOTHING_KNOWN and traits is not NOTHING_KNOWN:
            self.revise(traits)

    def revise(self, traits: Traits) -> None:
        """The server is known better from now on, also to the exchanges that are open."""
        if traits is self.traits:
            return
        self.traits = traits
        for exchange in self.exchanges:
            exchange.traits = traits
        self.sessions.learn(traits)
