"""The ledger of sessions, without a wire."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from ailoop_otel import names
from ailoop_otel.guard import Guard
from ailoop_otel.protocol.traits import NOTHING_KNOWN
from ailoop_otel.tracking.sessions import DISCONNECTED, EVICTED, FAILED, SHUTDOWN, STOPPED, Ledger, Session
from tests.recorder import EPOCH, Recording, duration


class Books:
    """A ledger with what it recorded."""

    def __init__(self, guard: Guard | None = None, **settings: Any) -> None:
        self.recording = Recording(guard, **settings)
        self.ledger = Ledger(self.recording.telemetry)

    @property
    def now(self) -> int:
        """The time."""
        return self.recording.clock.now()

    def start(self, session_id: str = "s", seconds: float = 0, **more: Any) -> Session:
        """Begin a session, which takes some seconds."""
        began = self.now
        self.recording.clock.move(seconds)
        return self.ledger.start(session_id, began, self.now, **more)

    def retained(self) -> float:
        """How many were left and never stopped."""
        return self.recording.total("ailoop.session.retained")

    def lives(self) -> list[dict[str, Any]]:
        """The attributes of the sessions that ended."""
        return [dict(span.attributes or {}) for span in self.recording.spans(names.SPAN_SESSION)]


@pytest.fixture
def books() -> Books:
    """New ones for each test."""
    return Books()


def test_a_start_is_exported_while_the_session_lives(books: Books) -> None:
    """So that a killed server's sessions are known."""
    books.start(seconds=0.25)
    span = books.recording.span(names.SPAN_SESSION_START)
    assert duration(span) == 0.25
    assert span.attributes == {names.SESSION_ID: "s"}
    assert books.lives() == []
    assert books.recording.total("ailoop.session.active") == 1


def test_its_whole_life_is_a_child_of_its_start(books: Books) -> None:
    """In a trace of its own."""
    session = books.start()
    session.turns, session.errors = 3, 1
    books.recording.clock.move(60)
    books.ledger.end(session, DISCONNECTED, books.now)
    start, life = books.recording.span(names.SPAN_SESSION_START), books.recording.span(names.SPAN_SESSION)
    assert life.parent is not None
    assert life.parent.span_id == start.context.span_id
    assert duration(life) == 60
    assert life.end_time == EPOCH + books.now
    assert books.lives() == [
        {
            names.SESSION_ID: "s",
            names.SESSION_TURNS: 3,
            names.SESSION_ERRORS: 1,
            names.SESSION_END_REASON: DISCONNECTED,
        }
    ]
    (point,) = books.recording.points("ailoop.session.duration")
    assert (point.value, point.count, point.labels) == (60, 1, {names.SESSION_END_REASON: DISCONNECTED})


@pytest.mark.parametrize(
    ("reason", "retained"), [(STOPPED, 0), (SHUTDOWN, 0), (DISCONNECTED, 1), (FAILED, 1), (EVICTED, 1)]
)
def test_a_session_that_nobody_stopped_is_retained(books: Books, reason: str, retained: int) -> None:
    """By the server, for ever; not where there is no server any more."""
    books.ledger.end(books.start(), reason, books.now)
    assert books.retained() == retained
    assert books.ledger.was_left("s") is bool(retained)


def test_its_turns_are_measured_and_its_end_is_an_event(books: Books) -> None:
    """In its trace, at the moment at which it ended."""
    session = books.start(seconds=1)
    (event,) = books.recording.events(names.EVENT_SESSION_START)
    assert (event.timestamp, event.trace_id) == (EPOCH + books.now, session.link.context.trace_id)
    for _ in range(3):
        books.ledger.turn(session, "ok")
    books.recording.clock.move(9)
    books.ledger.end(session, FAILED, books.now)
    start, life = books.recording.span(names.SPAN_SESSION_START), books.recording.span(names.SPAN_SESSION)
    assert (life.start_time, life.end_time) == (start.start_time, EPOCH + books.now)
    assert start.links == ()
    (event,) = books.recording.events(names.EVENT_SESSION_END)
    assert (event.timestamp, event.trace_id, event.span_id) == (
        life.end_time,
        start.context.trace_id,
        start.context.span_id,
    )
    assert dict(event.attributes) == dict(life.attributes or {})
    (turns,) = books.recording.points(names.METRIC_SESSION_TURNS.name)
    assert (turns.value, turns.count, turns.labels) == (3, 1, {names.SESSION_END_REASON: FAILED})
    (seconds,) = books.recording.points(names.METRIC_SESSION_DURATION.name)
    assert (seconds.value, seconds.labels) == (10, {names.SESSION_END_REASON: FAILED})


def test_a_new_session_has_no_turn_no_user_and_nothing_is_known_of_its_server(books: Books) -> None:
    """It began when it was asked for."""
    began = books.now
    session = books.start(seconds=1)
    assert (session.id, session.began, session.offset) == ("s", began, EPOCH)
    assert (session.turns, session.errors, session.users, session.ended) == (0, 0, 0, False)
    assert session.traits is NOTHING_KNOWN
    assert books.ledger.get("s") is session
    assert books.ledger.get(None) is books.ledger.get("t") is None


def test_the_start_of_a_session_is_linked_also_after_it_was_left(books: Books) -> None:
    """Not after it was stopped, nor where there was none."""
    session = books.start()
    assert [link and link.context for link in map(books.ledger.link, "st")] == [session.start, None]
    books.ledger.leave(session, books.now)
    link = books.ledger.link("s")
    assert link is not None
    assert link.context is session.start
    assert books.lives()[0][names.SESSION_END_REASON] == DISCONNECTED
    books.ledger.stop("s", books.now)
    assert books.ledger.link("s") is None
    assert books.ledger.was_left(None) is False


def test_it_is_left_with_the_reason_of_its_last_connection(books: Books) -> None:
    """Whatever the others' were; one that is stopped while it is used ends once."""
    session = books.start()
    session.users = 2
    books.ledger.leave(session, books.now, DISCONNECTED)
    books.ledger.leave(session, books.now, SHUTDOWN)
    assert books.lives()[0][names.SESSION_END_REASON] == SHUTDOWN
    assert session.users == 0
    books.start("t")
    books.ledger.stop("t", books.now)
    assert books.lives()[1][names.SESSION_END_REASON] == STOPPED
    assert books.recording.total("ailoop.session.active") == 0


def test_only_an_error_makes_its_span_one(books: Books) -> None:
    """That it ended is none."""
    books.ledger.end(books.start("a"), DISCONNECTED, books.now)
    books.ledger.end(books.start("b"), FAILED, books.now)
    codes = [span.status.status_code for span in books.recording.spans(names.SPAN_SESSION)]
    assert codes == [StatusCode.UNSET, StatusCode.ERROR]


def test_it_ends_once(books: Books) -> None:
    """Whoever says so."""
    session = books.start()
    books.ledger.end(session, STOPPED, books.now)
    books.ledger.end(session, DISCONNECTED, books.now)
    books.ledger.leave(session, books.now)
    assert len(books.lives()) == 1
    assert books.recording.total("ailoop.session.active") == 0


def test_starting_one_that_is_open_is_that_one(books: Books) -> None:
    """A second `startSession` reply with its id says nothing new."""
    assert books.start() is books.start()
    assert len(books.recording.spans(names.SPAN_SESSION_START)) == 1


def test_one_that_was_left_is_resumed_with_a_link_to_its_old_start(books: Books) -> None:
    """And is retained no longer."""
    books.ledger.end(books.start(), DISCONNECTED, books.now)
    cause = books.recording.telemetry.start_span("startSession", 0, {}).get_span_context()
    books.start(cause=cause)
    old, new = books.recording.spans(names.SPAN_SESSION_START)
    assert new.attributes == {names.SESSION_ID: "s", names.SESSION_RESUMED: True}
    assert [link.context.span_id for link in new.links] == [cause.span_id, old.context.span_id]
    assert books.retained() == 0
    (first, second) = books.recording.events(names.EVENT_SESSION_START)
    assert (first.attributes, second.attributes) == (old.attributes, new.attributes)


def test_stopping_one_that_was_left_frees_it(books: Books) -> None:
    """Its life was told when it was left."""
    books.ledger.end(books.start(), DISCONNECTED, books.now)
    books.ledger.stop("s", books.now)
    books.ledger.stop("s", books.now)
    books.ledger.stop("unknown", books.now)
    assert books.retained() == 0
    assert not books.ledger.was_left("s")
    assert len(books.lives()) == 1


def test_it_ends_with_the_last_that_uses_it(books: Books) -> None:
    """Not before."""
    session = books.start()
    session.users = 2
    books.ledger.leave(session, books.now)
    assert books.lives() == []
    books.ledger.leave(session, books.now)
    assert len(books.lives()) == 1


def test_beyond_the_most_the_oldest_is_evicted() -> None:
    """And beyond the most that were left, the oldest of those is forgotten."""
    books = Books(max_sessions=2)
    for session_id in "abcde":
        books.start(session_id)
        assert len(books.ledger) <= 2
    assert [life[names.SESSION_ID] for life in books.lives()] == ["a", "b", "c"]
    assert {life[names.SESSION_END_REASON] for life in books.lives()} == {EVICTED}
    assert [books.ledger.was_left(session_id) for session_id in "abc"] == [False, True, True]
    assert books.retained() == 3


def test_a_turn_counts_and_an_error_among_them(books: Books) -> None:
    """All but `ok` is one."""
    session = books.start()
    for outcome in ("ok", "cut", "ok", "disconnected"):
        books.ledger.turn(session, outcome)
    assert (session.turns, session.errors) == (4, 2)


def test_a_shutdown_ends_all_though_one_of_them_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is ours never keeps a server from stopping."""
    books = Books(Guard())
    sessions = [books.start(session_id) for session_id in "abc"]
    end = Ledger.end
    monkeypatch.setattr(
        Ledger, "end", lambda self, session, *rest: 1 / 0 if session is sessions[0] else end(self, session, *rest)
    )
    books.ledger.shut_down(books.now)
    assert [life[names.SESSION_ID] for life in books.lives()] == ["b", "c"]
    assert books.recording.guard.errors == 1


@pytest.mark.parametrize("seconds", [0, 1e-9])
def test_no_span_is_without_length(books: Books, seconds: float) -> None:
    """Jaeger warns of it for ever."""
    session = books.start()
    books.recording.clock.move(seconds)
    books.ledger.end(session, DISCONNECTED, books.now)
    assert all(duration(span) >= 1e-6 for span in books.recording.spans())
