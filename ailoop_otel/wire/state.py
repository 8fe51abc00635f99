"""What the connections of one server share, and the one place where exchanges end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ailoop_otel import names
from ailoop_otel.guard import warn
from ailoop_otel.protocol.traits import Traits
from ailoop_otel.recording.telemetry import Telemetry
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.tracking.sessions import Ledger, Session
from ailoop_otel.tracking.watchdog import Watchdog

if TYPE_CHECKING:
    from ailoop_otel.wire.connection import Connection

# So many different lines are logged at most.
_MOST_REPORTS: Final = 8


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
        self.stopping = False  # the server has sent a client away because it stops
        self.unread_method: str | None = None  # of the latest frame that may have carried an answer and was not read
        self._reported: set[str] = set()
        # Bound once: each exchange holds both.
        self._complete = self.complete
        self._watch = watchdog.watch

    def has_room(self) -> bool:
        """Whether one more exchange may be followed; counts the one that may not."""
        if len(self.exchanges) < self.telemetry.settings.max_exchanges:
            return True
        self.telemetry.refused += 1
        return False

    def open(self, exchange: Exchange, now: int, *, waits: bool, behind: bool) -> None:
        """Follow an exchange; `waits` where its session answers one message after the other.

        `behind`: an earlier message that names the same session is open on its connection.
        """
        self.exchanges.add(exchange)
        exchange.finish = self._complete
        exchange.rearm = self._watch
        session_id = exchange.session_id
        first = not behind if session_id is None else self.queues.add(session_id, exchange)
        if first or not waits:
            exchange.take_turn(now)
            self.watchdog.watch(exchange)

    def move(self, exchange: Exchange, session_id: str) -> None:
        """The exchange's session became known only now, or is another one than it seemed.

        Then the same holds for the messages of its connection that name the same session.
        """
        seemed = exchange.session_id
        if seemed == session_id or exchange.ended:
            return
        together = [exchange]
        if seemed is not None:
            home = exchange.home or together
            together = [each for each in home if each.session_id == seemed and each.named == exchange.named]
        following = None
        for each in together:
            following = self.queues.remove(each) or following
            each.session_id = session_id
            self.queues.add(session_id, each)
            each.span.set_attribute(names.SESSION_ID, session_id)
        if following not in together:
            self._pass_turn(following, exchange.received)

    def complete(self, exchange: Exchange, now: int) -> None:
        """End an exchange; the next of its session has its turn."""
        following = self._let_go(exchange)
        if exchange.unread:
            self._report_unread()
        try:
            session = self.ledger.get(exchange.session_id)
            outcome = exchange.end(now, session)
            if outcome is not None and session is not None:
                self.ledger.turn(session, outcome)
        finally:
            self._pass_turn(following, now)

    def forget(self, exchange: Exchange, now: int) -> None:
        """It was no message to an AI after all, or nothing can be known of it: end it as a plain call."""
        following = self._let_go(exchange)
        exchange.forget(now)
        self._pass_turn(following, now)

    def report_stranger(self) -> None:
        """Log once that messages are replied to as no known dialect does."""
        self._report(
            "this server speaks a dialect that is not known here; its messages get plain call spans only. "
            "A dialect plugin can teach it: docs/dialects.md"
        )

    def _report(self, line: str) -> None:
        if line not in self._reported and len(self._reported) < _MOST_REPORTS:
            self._reported.add(line)
            warn(line)

    def _report_unread(self) -> None:
        name = f" ({self.unread_method})" if self.unread_method is not None else ""
        self._report(
            f"frames of an unknown form{name} come with the answers of this server: their first chunks and silences "
            "are not known and not recorded. A dialect plugin can teach them: docs/dialects.md"
        )

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
        home, exchange.home = exchange.home, None
        if home is not None:
            home.remove(exchange)
        following = self.queues.remove(exchange)
        if following is None and home:
            # One whose session is not known yet is in no queue.
            unplaced = (each for each in home if each.session_id is None and not each.turn)
            following = next((each for each in unplaced if each.named == exchange.named), None)
        return following


class Queues:
    """Open exchanges by session, in order of arrival; a session may span connections."""

    def __init__(self) -> None:
        # Lists, not deques: most hold one, and an empty deque is larger than an exchange.
        self._queues: dict[str, list[Exchange]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def add(self, session_id: str, exchange: Exchange) -> bool:
        """Put an exchange behind the others of its session; returns whether it is the first."""
        queue = self._queues.get(session_id)
        if queue is None:
            self._queues[session_id] = [exchange]
            return True
        queue.append(exchange)
        return False

    def head(self, session_id: str | None) -> Exchange | None:
        """The exchange that a session is answering."""
        queue = self._queues.get(session_id) if session_id is not None else None
        return queue[0] if queue else None

    def of(self, session_id: str | None) -> list[Exchange]:
        """All open exchanges of a session."""
        queue = self._queues.get(session_id) if session_id is not None else None
        return list(queue) if queue else []

    def remove(self, exchange: Exchange) -> Exchange | None:
        """Take an exchange out; returns the one whose turn comes now, if it was at the head."""
        session_id = exchange.session_id
        queue = self._queues.get(session_id) if session_id is not None else None
        if not queue or session_id is None:
            return None
        was_head = queue[0] is exchange
        if was_head:
            del queue[0]
        elif exchange in queue:
            queue.remove(exchange)
        if not queue:
            del self._queues[session_id]
            return None
        return queue[0] if was_head else None


class UsedSessions:
    """Which sessions a connection uses, and which of them its messages go to."""

    __slots__ = ("_first", "_ledger", "_others", "own")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # Nearly all use one: a set of their own would be a tenth of what a connection holds.
        self._first: Session | None = None
        self._others: set[Session] | None = None
        self.own: Session | None = None  # the latest that this socket started

    def of_message(self, session_id: str | None, traits: Traits, now: int) -> Session | None:
        """The session that a message goes to which names `session_id`; one that was left is resumed.

        None where it is open whether the socket's session counts or the one that is named: frames will show it.
        """
        own, owns = self.own, traits.socket_owns_session
        if own is not None and not own.ended and owns is not False:
            if owns or session_id is None or session_id == own.id:
                return own
            return None
        session = self._ledger.get(session_id)
        if session is None and session_id is not None and self._ledger.was_left(session_id):
            session = self._ledger.start(session_id, now, now)
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

    def learn(self, traits: Traits) -> None:
        """The sessions' servers are known better now: who else uses them begins with that."""
        for session in self._all():
            session.traits = traits

    def leave(self, now: int, reason: str) -> None:
        """The connection uses none of them any more."""
        used = self._all()
        self.own = self._first = self._others = None
        for session in used:
            self._ledger.leave(session, now, reason)

    def _all(self) -> list[Session]:
        used = [self._first] if self._first is not None else []
        return [*used, *(self._others or ())]
