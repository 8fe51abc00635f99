"""What the connections of one server share: ledger, watchdog, queues, and the exchanges that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ailoop_otel.guard import warn
from ailoop_otel.recording.telemetry import Telemetry
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.tracking.sessions import Ledger
from ailoop_otel.tracking.watchdog import Watchdog
from ailoop_otel.wire.correlation import Queues

if TYPE_CHECKING:
    from ailoop_otel.wire.connection import Connection


class Wire:
    """The shared state of the wire; used from the event loop only. `active` is False once it was switched off."""

    def __init__(self, telemetry: Telemetry, ledger: Ledger, watchdog: Watchdog) -> None:
        self.telemetry = telemetry
        self.ledger = ledger
        self.watchdog = watchdog
        self.queues = Queues()
        self.exchanges: set[Exchange] = set()
        self.connections: set[Connection] = set()
        self.active = True
        self._strangers_told = False
        # Bound once: each exchange holds both.
        self._complete = self.complete
        self._watch = watchdog.watch

    def has_room(self) -> bool:
        """Whether one more exchange may be followed; counts the one that may not."""
        if len(self.exchanges) < self.telemetry.settings.max_exchanges:
            return True
        self.telemetry.refused += 1
        return False

    def open(self, exchange: Exchange, now: int, *, waits: bool) -> None:
        """Follow an exchange; `waits` where its session answers one message after the other."""
        self.exchanges.add(exchange)
        exchange.finish = self._complete
        exchange.rearm = self._watch
        session_id = exchange.session_id
        first = session_id is None or self.queues.add(session_id, exchange)
        if first or not waits:
            exchange.take_turn(now)
            self.watchdog.watch(exchange)

    def move(self, exchange: Exchange, session_id: str) -> None:
        """The exchange's session became known only now."""
        if exchange.session_id is None and not exchange.ended:
            exchange.session_id = session_id
            self.queues.add(session_id, exchange)

    def complete(self, exchange: Exchange, now: int) -> None:
        """End an exchange; the next of its session has its turn."""
        following = self._let_go(exchange)
        try:
            outcome = exchange.end(now)
            session = self.ledger.get(exchange.session_id)
            if outcome is not None and session is not None:
                self.ledger.turn(session, outcome)
        finally:
            self._pass_turn(following, now)

    def forget(self, exchange: Exchange, now: int) -> None:
        """The dialect is unknown: what looked like an exchange is a plain call. Said once."""
        following = self._let_go(exchange)
        exchange.forget(now)
        self._pass_turn(following, now)
        if not self._strangers_told:
            self._strangers_told = True
            warn("this server speaks a dialect that is not known here; its messages get plain call spans only")

    def shut_down(self, now: int) -> None:
        """The server stops: end what is open as `cancelled`, and the sessions as `server_shutdown`."""
        for exchange in list(self.exchanges):
            with self.telemetry.guard:
                exchange.stopped = True
                self.complete(exchange, now)
        self.ledger.shut_down(now)

    def switch_off(self, now: int) -> None:
        """Observe no more: end what is open; sockets that are open are passed through from now on."""
        self.active = False
        self.shut_down(now)
        for connection in list(self.connections):
            with self.telemetry.guard:
                connection.close(now, None)

    def _pass_turn(self, following: Exchange | None, now: int) -> None:
        if following is not None and not following.turn:
            following.take_turn(now)
            self.watchdog.watch(following)

    def _let_go(self, exchange: Exchange) -> Exchange | None:
        self.exchanges.discard(exchange)
        if exchange.home is not None:
            exchange.home.remove(exchange)
            exchange.home = None
        return self.queues.remove(exchange)
