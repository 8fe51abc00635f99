"""A thousand connections opened, used and closed leave nothing of ours behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span

from ailoop_otel import names
from ailoop_otel.protocol.jsonrpc import Request
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.tracking.sessions import Session
from ailoop_otel.tracking.watchdog import Timeout
from ailoop_otel.wire.calls import Call
from ailoop_otel.wire.socket import Socket
from ailoop_otel.wire.state import UsedSessions
from tests.scripted import Server, chunk, reply, request, status, update
from tests.wire.talk import Talk, acknowledged, answered, delegates, message, refused, stateless, streamed

OURS = (Call, Exchange, UsedSessions, Request, Session, Socket, Span, Timeout)
Use = Callable[[Server, str, int], Awaitable[Talk]]
NUMBER = 1000


def live() -> Counter[str]:
    """How many objects of each of our kinds there are."""
    gc.collect()
    # By `type`, not `isinstance`: a proxy might import what it stands for.
    kinds = Counter(type(thing) for thing in gc.get_objects())
    return Counter({kind.__name__: kinds[kind] for kind in (*OURS, Span.__subclasses__()[0]) if kinds[kind]})


async def use_stateless(server: Server, session: str, number: int) -> Talk:
    """One connection to the current generation."""
    talk = await stateless(session, server)
    endings: list[tuple[Any, ...]] = [
        (update("ab", session),),  # abandoned in mid-answer
        (update("a", session), 31.0, server.watchdog.check, update("ab", session)),  # with a timeout
        (refused(9, -32603),),
        (update("a", session), answered(9, None)),
        (lambda: setattr(talk.socket, "broken", True), update("a", session)),  # the client has left
        (request("x"), ValueError("the application fails")),
    ]
    await talk.say(message(1, session), *[frame.replace("w", "x") for frame in streamed(1, "a", "b")])
    await talk.say(message(None, session), update("n", session), update("n", session))
    await talk.say(request("echo", 2), reply(2, "x"))
    await talk.say(request("unanswered", 3))
    await talk.say("{")
    await talk.say(message(9, session), *endings[number % len(endings)])
    return talk


async def use_delegates(server: Server, session: str, number: int) -> Talk:
    """One connection to the earlier generation."""
    talk = await delegates(session, server)
    endings: list[tuple[Any, ...]] = [
        (chunk("a", session),),
        (chunk("a", session), 31.0, server.watchdog.check),
        (status(3, "Error: boom", session),),
        (status(3, "timeout", session),),
        (lambda: setattr(talk.socket, "broken", True), chunk("a", session)),
        (status(2, "Session stopped", session),),
        (status(3, "Session ended: error", session),),
    ]
    await talk.say(message(1, session), acknowledged(1))
    await talk.say(message(2, session), acknowledged(2))
    await talk.elsewhere(chunk("a", session), chunk("a", session, final=True))
    await talk.say(request("echo", 3))
    await talk.elsewhere(*endings[number % len(endings)])
    if number % 10 == 0:
        await talk.say(request("stopSession", 4, sessionId=session), reply(4, {"status": 2}))
    return talk


async def close(talk: Talk) -> None:
    """However it ends."""
    task = talk.socket.task
    assert task is not None
    if not task.done():
        await talk.leave(1006)
    await asyncio.gather(task, return_exceptions=True)
    # No server keeps a connection's task, nor what its application raised.
    talk.socket.task = None
    talk.answer = ()


async def hold(server: Server, use: Use, keep: Callable[[Talk], Any]) -> list[Any]:
    """Hold the conversations, ten at a time; what is kept of each."""
    kept = []
    for first in range(0, NUMBER, 10):
        numbers = range(first, first + 10)
        talks = [await use(server, f"session-{number}", number) for number in numbers]
        for talk in talks:
            await close(talk)
        kept += [keep(talk) for talk in talks]
    return kept


def over(server: Server) -> None:
    """Nothing is open, and all that was opened was ended."""
    state = server.state
    assert (state.exchanges, len(state.queues), len(state.ledger)) == (set(), 0, 0)
    for metric in ("exchange", "session", "connection"):
        assert server.recording.total(f"ailoop.{metric}.active") == 0
    # A log record holds its span until it is exported.
    server.recording._logs.clear()
    spans = server.recording.spans()
    assert len([span for span in spans if names.OUTCOME in (span.attributes or {})]) >= 2 * NUMBER
    assert len(server.recording.spans(names.SPAN_SESSION)) >= NUMBER
    assert len(server.recording.spans(names.SPAN_AI_TIMEOUT)) >= NUMBER // 10


@pytest.mark.parametrize("use", [use_stateless, use_delegates])
@pytest.mark.fault(
    "clients",
    theirs="A thousand connections of all kinds",
    promise="No exchange, session, span, task or thread is left",
)
async def test_a_thousand_connections_leave_nothing(use: Use) -> None:
    """No exchange, call, session, span, task or thread; a small connection hangs on each `send` that a server keeps."""
    server = Server()
    before, threads = live(), set(threading.enumerate())
    # The earlier generation's sessions keep their dead sockets for ever.
    kept = await hold(server, use, lambda talk: (talk.socket.send, talk.socket.receive))
    over(server)
    after = live()
    after.subtract(before)
    assert +after == Counter({"Socket": len(kept), "UsedSessions": len(kept)})
    assert max(weight(thing) for thing in gc.get_objects() if type(thing) is Socket) < 2048
    kept.clear()
    assert live() == before
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert set(threading.enumerate()) <= threads
    server.clock.move(names.DAY)
    server.watchdog.check()
    assert len(server.watchdog._heap) + len(server.watchdog._inbox) < 4096


def weight(connection: Socket) -> int:
    """Bytes that a connection alone holds."""
    return sum(map(sys.getsizeof, _own(connection)))


def _own(connection: Socket) -> Iterator[Any]:
    yield connection
    for kind in type(connection).__mro__:
        for slot in getattr(kind, "__slots__", ()):
            value = getattr(connection, slot, None)
            if isinstance(value, (dict, list, set, UsedSessions)):
                yield value
            if isinstance(value, dict):
                yield from value.values()
