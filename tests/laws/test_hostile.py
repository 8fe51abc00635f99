"""Hostile clients and broken servers: nothing raises, nothing is counted wrongly, nothing grows."""

from __future__ import annotations

import logging
import types
from collections.abc import Generator
from contextlib import suppress
from contextvars import Context
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ailoop_otel.guard import Guard
from tests.laws import hostile
from tests.laws.invariants import Complaints, Started, check_exchanges, check_metrics, check_sessions, check_spans
from tests.laws.stage import Host, elsewhere
from tests.scripted import SCOPE

MOST_SESSIONS, MOST_EXCHANGES, MOST_CALLS = 3, 5, 64


class ServerFailed(Exception):
    """What the application raises."""


class Line:
    """One connection, as slow as the test wants it: the application waits for `deliver`, and `send` always works."""

    def __init__(self, host: Host, scope: dict[str, Any]) -> None:
        self._host = host
        self._context = Context()
        self._send: Any = None
        self.broken = False
        self._answers: list[Any] = []
        self._running = host.around(self._application)(scope, self._receive, self._arrive)
        self._advance(None)

    def deliver(self, message: Any, answers: list[Any]) -> None:
        """The application gets a message, and answers it in the task that got it."""
        self._answers = answers
        self._advance(message)

    def close(self, message: Any) -> None:
        """It ends, if it has not yet."""
        with suppress(RuntimeError):
            self.deliver(message, [])

    def send(self, message: Any) -> None:
        """Another task of the server sends."""
        elsewhere(self._sent(message))

    def _advance(self, message: Any) -> None:
        with suppress(StopIteration, ServerFailed):
            self._context.run(self._running.send, message)  # type: ignore[attr-defined]

    async def _application(self, _: Any, receive: Any, send: Any) -> None:
        self._send = send
        while True:
            message = await receive()
            if isinstance(message, dict) and message["type"] == "websocket.disconnect":
                return
            for answer in self._answers:
                if isinstance(answer, type):
                    raise answer
                if isinstance(answer, float):
                    self._host.clock.move(answer)
                else:
                    await self._sent(answer)

    async def _sent(self, message: Any) -> None:
        with suppress(OSError):
            await self._send(hostile.whole(message))

    async def _receive(self) -> Any:
        return await _next()

    async def _arrive(self, _: Any) -> None:
        if self.broken:
            raise OSError


@types.coroutine
def _next() -> Generator[None, Any, Any]:
    return (yield)


class Town:
    """Several sockets and sessions; each method is something that can happen to socket `number`."""

    def __init__(self) -> None:
        limits = {"max_sessions": MOST_SESSIONS, "max_exchanges": MOST_EXCHANGES}
        self.host = Host(Guard(strict=True), first_chunk=5, stall=3, total=20, **limits)
        self.state: Any = self.host.wire()
        recording: Any = self.host.recording
        self.recording = recording
        self.started = Started()
        recording.tracers.add_span_processor(self.started)
        self.open: dict[int, Line] = {}
        self.dead: list[Line] = []

    def happen(self, what: str, number: int, detail: Any) -> None:
        """One thing happens."""
        if number not in self.open:
            self.open[number] = Line(self.host, {**SCOPE, "headers": detail[0], "client": detail[1]})
        getattr(self, what)(number, *detail[2:])
        self.bounded()

    def say(self, number: int, message: Any, answers: list[Any], ending: Any, *_: Any) -> None:
        """A client says something, and the server answers."""
        reply = [] if ending is None else [hostile.replied(hostile.whole(message), ending)]
        self.open[number].deliver(hostile.whole(message), [*answers, *reply])

    def flood(self, number: int, *detail: Any) -> None:
        """A client asks faster than the server answers, if it answers at all."""
        for message, answers in hostile.flood(detail[5]):
            self.open[number].deliver(message, answers)
            self.bounded()

    def send(self, number: int, _: Any, messages: list[Any], *__: Any) -> None:
        """The server sends of its own accord, also to who has left."""
        for message in messages:
            if isinstance(message, float):
                self.wait(number, None, None, None, message)
                continue
            for line in (self.open[number], *self.dead[-1:]):
                line.send(message)

    def wait(self, _: int, *detail: Any) -> None:
        """Time passes."""
        self.host.clock.move(detail[3])
        self.host.look()

    def lose(self, number: int, *_: Any) -> None:
        """A client goes, and nobody has noticed yet."""
        self.open[number].broken = True

    def leave(self, number: int, *detail: Any) -> None:
        """A client closes."""
        self._end(number, {"type": "websocket.disconnect", "code": detail[4]}, [])

    def fail(self, number: int, message: Any, *_: Any) -> None:
        """The application raises."""
        self._end(number, message, [ServerFailed])

    def stop(self, *_: Any) -> None:
        """The server shuts down, though its clients are still there."""
        self.state.shut_down(self.host.clock.now())

    def _end(self, number: int, message: Any, answers: list[Any]) -> None:
        line = self.open.pop(number)
        self.dead.append(line)
        line.deliver(message, answers)

    def bounded(self) -> None:
        """State is bounded by the settings."""
        state = self.state
        assert len(state.exchanges) <= MOST_EXCHANGES
        assert len(state.queues) <= MOST_EXCHANGES
        assert len(state.ledger) <= MOST_SESSIONS
        assert len(state.ledger._left) <= MOST_SESSIONS
        assert all(len(connection.calls) <= MOST_CALLS for connection in state.connections)

    def over(self) -> None:
        """All leave; then all is told, once, and nothing is left."""
        for number in list(self.open):
            self.leave(number, None, None, None, None, 1006)
        state = self.state
        assert (state.exchanges, len(state.queues), len(state.ledger)) == (set(), 0, 0)
        assert self.started.open == 0
        check_spans(self.recording)
        check_exchanges(self.recording)
        check_sessions(self.recording)
        check_metrics(self.recording)


HAPPENINGS = ["say"] * 12 + ["send"] * 3 + ["wait"] * 3 + ["lose", "leave", "leave", "fail", "stop", "flood"]
happenings = st.tuples(
    st.sampled_from(HAPPENINGS),
    st.integers(0, 2),
    st.tuples(
        hostile.headers, hostile.clients, hostile.client_messages, hostile.answers, hostile.endings, st.floats(0, 40),
        hostile.closes, hostile.floods,
    ),
)  # fmt: skip


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(story=st.lists(happenings, min_size=15, max_size=40))
@pytest.mark.fault(
    "clients",
    theirs="Arbitrary frames in any order on many sockets",
    promise="The server sees what it would see without the package",
)
def test_nothing_that_is_sent_does_any_harm(story: list[Any]) -> None:
    """Whoever sends it, in whatever order, on however many sockets."""
    complaints = Complaints()
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(complaints)
    try:
        town = Town()
        for what, number, detail in story:
            town.happen(what, number, detail)
        town.over()
        assert complaints.lines == []
    finally:
        logger.removeHandler(complaints)
