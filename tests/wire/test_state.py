"""The shared state of the wire, without sockets: who waits behind whom, and who ends an exchange."""

from __future__ import annotations

from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.protocol.traits import NOTHING_KNOWN, Traits
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.wire.state import Queues, UsedSessions, Wire
from tests.exchanges import DELEGATES, STATELESS, opened
from tests.recorder import duration
from tests.scripted import Server


@pytest.fixture
def server() -> Server:
    """A new one for each test."""
    return Server(first_chunk=10, stall=0, total=0)


def waiting(server: Server, session: str | None = "s") -> Exchange:
    """An exchange whose message has just come."""
    return opened(server.recording, queued=True, session=session)


def followed(server: Server, session: str | None = "s", *, waits: bool = True, behind: bool = False) -> Exchange:
    """One that the wire follows."""
    exchange = waiting(server, session)
    server.state.open(exchange, server.clock.time, waits=waits, behind=behind)
    return exchange


# --- Queues ----------------------------------------------------------------------------------------------------
def test_a_queue_is_in_order_of_arrival_and_of_one_session(server: Server) -> None:
    """One that leaves from the middle passes no turn; the last takes the queue with it."""
    queues = Queues()
    first, second, third, other = (waiting(server, session) for session in "ssso")
    assert [queues.add("s", first), queues.add("s", second), queues.add("s", third)] == [True, False, False]
    assert queues.add("o", other) is True
    assert (len(queues), queues.head("s"), queues.head("o"), queues.head("x"), queues.head(None)) == (
        2, first, other, None, None,
    )  # fmt: skip
    assert queues.of("s") == [first, second, third]
    assert queues.of("s") is not queues.of("s")
    assert queues.of("x") == queues.of(None) == []
    assert queues.remove(second) is None
    assert queues.remove(second) is None
    assert queues.of("s") == [first, third]
    assert queues.remove(first) is third
    assert queues.remove(third) is None
    assert (len(queues), queues.head("s"), queues.remove(third)) == (1, None, None)
    assert queues.remove(waiting(server, None)) is None


# --- The life of an exchange on the wire ------------------------------------------------------------------------
def test_the_first_of_a_session_has_its_turn_and_is_watched(server: Server) -> None:
    """The second too where its server does not queue; else it waits for the first."""
    first, second, third = followed(server), followed(server), followed(server, waits=False)
    alone, late = followed(server, None), followed(server, None, behind=True)
    now = server.clock.time
    assert [each.turn for each in (first, second, third, alone, late)] == [now, 0, now, now, 0]
    assert server.state.exchanges == {first, second, third, alone, late}
    server.clock.move(10)
    server.watchdog.check()
    assert [len(each.timeouts) for each in (first, second, third, alone)] == [1, 0, 1, 1]


@pytest.mark.parametrize("how", ["complete", "forget"])
def test_the_next_of_the_session_has_its_turn_when_one_ends(server: Server, how: str) -> None:
    """From that moment on, and watched; what has its turn keeps it."""
    home: list[Exchange] = []
    first, second, third = followed(server), followed(server), followed(server, waits=False)
    begun = third.turn
    first.home = home
    home += [second, first]
    server.clock.move(3)
    getattr(server.state, how)(first, server.clock.time)
    assert (home, first.home, first.ended) == ([second], None, True)
    assert first not in server.state.exchanges
    assert duration(server.recording.span("sendUserMessage")) == 3
    assert second.turn == server.clock.time
    server.clock.move(10)
    server.watchdog.check()
    assert [timeout.since for timeout in second.timeouts] == [second.turn]
    server.state.complete(second, server.clock.time)
    assert third.turn == begun


def test_one_that_ends_by_itself_ends_on_the_wire(server: Server) -> None:
    """As the hooks inside the server do it."""
    exchange = followed(server)
    exchange.finish(exchange, server.clock.time + SECOND)
    assert server.state.exchanges == set()
    assert len(server.state.queues) == 0


def test_each_exchange_is_a_turn_of_its_session(server: Server) -> None:
    """With its outcome, and once."""
    session = server.state.ledger.start("s", 0, 0)
    exchange = followed(server)
    server.state.complete(exchange, server.clock.time)
    server.state.complete(exchange, server.clock.time)
    assert (session.turns, session.errors) == (1, 1)
    server.state.complete(followed(server, "unknown"), server.clock.time)
    server.state.complete(followed(server, None), server.clock.time)
    assert session.turns == 1


def test_the_next_has_its_turn_though_the_end_of_one_fails(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is ours never keeps a message waiting."""
    first, second = followed(server), followed(server)
    monkeypatch.setattr(Exchange, "end", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        server.state.complete(first, server.clock.time)
    assert second.turn == server.clock.time


def test_an_exchange_moves_to_its_session_and_leaves_its_place(server: Server) -> None:
    """The one behind it has its turn since the moved one came; one that has ended or is there already stays."""
    first, second = followed(server, "a"), followed(server, "a")
    server.clock.move(1)
    server.state.move(first, "b")
    assert (first.session_id, server.state.queues.of("a"), server.state.queues.of("b")) == ("b", [second], [first])
    assert second.turn == first.received
    server.state.move(first, "b")
    assert server.state.queues.of("b") == [first]
    server.state.complete(first, server.clock.time)
    server.state.move(first, "a")
    assert (first.session_id, server.state.queues.of("a")) == ("b", [second])


def test_beyond_the_most_an_exchange_is_refused_and_counted() -> None:
    """One fewer is not."""
    server = Server(max_exchanges=2)
    followed(server)
    assert server.state.has_room() is True
    followed(server)
    assert [server.state.has_room(), server.state.has_room()] == [False, False]
    assert server.recording.telemetry.refused == 2


# --- Lines in the log -------------------------------------------------------------------------------------------
def test_what_cannot_be_read_is_logged_once_with_the_method(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Eight different lines at most, whatever methods a server invents."""
    for number in [None, *range(20), 3]:
        exchange = followed(server)
        exchange.unreadable()
        server.state.unread_method = None if number is None else f"m{number}"
        server.state.complete(exchange, server.clock.time)
    lines = [record.getMessage() for record in caplog.records]
    named = ["", *(f" (m{number})" for number in range(7))]
    assert lines == [
        f"ailoop-otel: frames of an unknown form{name} come with the answers of this server: their first chunks and "
        "silences are not known and not recorded. A dialect plugin can teach them: docs/dialects.md"
        for name in named
    ]
    server.state.report_stranger()
    assert len(caplog.records) == 8


# --- The end of all ---------------------------------------------------------------------------------------------
class Closed:
    """A connection that remembers how it was closed."""

    def __init__(self) -> None:
        self.how: tuple[Any, ...] = ()

    def close(self, now: int, raised: BaseException | None) -> None:
        """Remember it."""
        self.how = (now, raised)


def test_a_server_that_stops_cancels_what_is_open(server: Server) -> None:
    """Exchanges as `cancelled`, sessions as `server_shutdown`; connections stay open."""
    server.state.ledger.start("s", 0, 0)
    connection = Closed()
    server.state.connections.add(connection)
    followed(server)
    followed(server, None)
    server.state.shut_down(server.clock.time)
    outcomes = [(span.attributes or {})[names.OUTCOME] for span in server.recording.spans("sendUserMessage")]
    assert outcomes == ["cancelled"] * 2
    assert len(server.state.ledger) == 0
    assert (server.state.active, connection.how) == (True, ())
    server.state.switch_off(server.clock.time)
    assert (server.state.active, connection.how) == (False, (server.clock.time, None))


# --- Sessions of a connection -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("owns", "named", "expected"),
    [
        (True, None, "own"),
        (True, "own", "own"),
        (True, "other", "own"),
        (None, None, "own"),
        (None, "own", "own"),
        (None, "other", None),
        (False, None, None),
        (False, "own", "own"),
        (False, "other", "other"),
        (False, "left", "left"),
        (False, "unknown", None),
    ],
)
def test_a_message_goes_to_the_session_that_its_server_would_take(
    server: Server, owns: bool | None, named: str | None, expected: str | None
) -> None:
    """The socket's own or the one that is named; where that is open and they differ it is left open."""
    ledger = server.state.ledger
    used = UsedSessions(ledger)
    used.own = ledger.start("own", 0, 0)
    ledger.start("other", 0, 0)
    ledger.leave(ledger.start("left", 0, 0), 0)
    traits = NOTHING_KNOWN if owns is None else NOTHING_KNOWN.proven("socket_owns_session", owns)
    now = server.clock.time
    found = used.of_message(named, traits, now)
    assert (found.id if found is not None else None) == expected
    if expected == "left":
        assert found is not None
        assert found.began == now
        assert not ledger.was_left("left")


def test_where_the_own_session_has_ended_the_named_one_counts(server: Server) -> None:
    """Also where the socket owns it."""
    ledger = server.state.ledger
    used = UsedSessions(ledger)
    used.own = ledger.start("own", 0, 0)
    other = ledger.start("other", 0, 0)
    ledger.stop("own", 0)
    assert used.of_message("other", STATELESS, 0) is other
    assert UsedSessions(ledger).of_message("other", STATELESS, 0) is other


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_each_session_is_used_once_learns_and_is_left(server: Server, number: int) -> None:
    """One, several or none: used twice by one connection it has one user."""
    ledger = server.state.ledger
    sessions = [ledger.start(f"s{each}", 0, 0) for each in range(number)]
    used = UsedSessions(ledger)
    for session in [*sessions, *sessions]:
        used.use(session)
    assert [session.users for session in sessions] == [1] * number
    used.learn(DELEGATES)
    learned: list[Traits] = [session.traits for session in sessions]
    assert learned == [DELEGATES] * number
    used.own = sessions[0] if sessions else None
    used.leave(server.clock.time, "disconnected")
    assert (len(ledger), used.own) == (0, None)
    assert all(ledger.was_left(session.id) for session in sessions)
    spans = server.recording.spans(names.SPAN_SESSION)
    assert {(span.attributes or {})[names.SESSION_END_REASON] for span in spans} <= {"disconnected"}
    used.leave(server.clock.time, "disconnected")
    assert [session.users for session in sessions] == [0] * number


def test_the_wire_begins_with_nothing(server: Server) -> None:
    """And observes."""
    wire = Wire(server.recording.telemetry, server.state.ledger, server.watchdog)
    assert (wire.exchanges, wire.connections, len(wire.queues), wire.active, wire.unread_method) == (
        set(), set(), 0, True, None,
    )  # fmt: skip
