"""The earlier generation's wire through the middleware: the reply only acknowledges, the answer comes later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ailoop_otel import names
from tests.recorder import duration
from tests.scripted import SESSION, Server, Socket, answering, chunk, reply, request, status

OTHER_SESSION = SESSION.replace("0", "f")


class Loop:
    """A session's background task, made while startSession is handled as the server does it."""

    def __init__(self, socket: Socket) -> None:
        self.frames: asyncio.Queue[str] = asyncio.Queue()
        self.idle = asyncio.Event()
        self._socket = socket
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await self._socket.text(await self.frames.get())
            if self.frames.empty():
                self.idle.set()

    async def say(self, *frames: str) -> None:
        """Send frames from the session's own task."""
        self.idle.clear()
        for frame in frames:
            self.frames.put_nowait(frame)
        await self.idle.wait()


class Conversation:
    """One socket with a session or two."""

    def __init__(self, server: Server, socket: Socket, loops: dict[str, Loop]) -> None:
        self.server, self.socket, self.loops = server, socket, loops
        self._id = 10

    async def send(self, session: str = SESSION) -> None:
        """Send a message; the server acknowledges it."""
        self._id += 1
        await self.socket.deliver(request("sendUserMessage", self._id, sessionId=session, message="hello"))

    async def say(self, *frames: str, session: str = SESSION) -> None:
        """The session's task sends frames."""
        await self.loops[session].say(*frames)

    def roots(self) -> list[Any]:
        """The exchanges that have ended."""
        return self.server.recording.spans("sendUserMessage")

    async def close(self) -> None:
        """End the tasks."""
        for loop in self.loops.values():
            loop.task.cancel()
        if self.socket.task is not None and not self.socket.task.done():
            await self.socket.leave()


async def talk(*sessions: str, **settings: Any) -> Conversation:
    """A socket on which sessions were started."""
    server = Server(**settings)
    loops: dict[str, Loop] = {}
    ids = iter(sessions or (SESSION,))

    async def start(socket: Socket, message: dict[str, Any]) -> None:
        session = next(ids)
        loops[session] = Loop(socket)
        await socket.text(status(1, "Session started", session))
        await socket.text(reply(message["id"], {"sessionId": session, "status": 1}))

    async def acknowledge(socket: Socket, message: dict[str, Any]) -> None:
        await socket.text(reply(message["id"], {"messageId": "m", "status": 0}))

    async def stop(socket: Socket, message: dict[str, Any]) -> None:
        session = message["params"]["sessionId"]
        await socket.text(status(2, "Session ended: stopped", session))
        await socket.text(status(2, "Session stopped", session))
        await socket.text(reply(message["id"], {"status": 2}))

    handlers = {"startSession": start, "sendUserMessage": acknowledge, "stopSession": stop}
    socket = await server.serve(answering(handlers))
    for number, _ in enumerate(sessions or (SESSION,)):
        await socket.deliver(request("startSession", number, userId="u"))
    return Conversation(server, socket, loops)


async def test_completion_is_the_final_chunk_and_not_the_acknowledgement() -> None:
    """The reply comes at once; the exchange ends with `isFinal`, whose repeat is no chunk."""
    talking = await talk()
    await talking.send()
    assert talking.roots() == []
    talking.server.clock.move(1)
    await talking.say(chunk("Hi"))
    talking.server.clock.move(0.05)
    await talking.say(chunk(" you"), chunk(" you", final=True))
    (root,) = talking.roots()
    assert root.attributes[names.OUTCOME] == "ok"
    assert root.attributes[names.STREAM_CHUNKS] == 2
    assert root.attributes[names.ANSWER_SIZE] == 6
    assert root.attributes[names.TIME_TO_FIRST_CHUNK] == 1
    assert root.attributes[names.CORRELATION] == "order"
    assert root.attributes[names.DIALECT] == "delegates"
    assert duration(root) == 1.05
    (call,) = [
        p
        for p in talking.server.recording.points("rpc.server.call.duration")
        if p.labels[names.RPC_METHOD] == "sendUserMessage"
    ]
    assert call.value == 0
    await talking.close()


async def test_queued_messages_keep_their_own_chunks() -> None:
    """The second message waits until the first is answered, and its clocks start when its turn comes."""
    talking = await talk(first_chunk=10)
    await talking.send()
    await talking.send()
    talking.server.clock.move(8)
    await talking.say(chunk("one"), chunk("one", final=True))
    talking.server.clock.move(5)
    talking.server.watchdog.check()
    assert talking.server.recording.spans(names.SPAN_AI_TIMEOUT) == []
    await talking.say(chunk("two"), chunk(" more"), chunk(" more", final=True))
    one, two = talking.roots()
    assert (one.attributes[names.STREAM_CHUNKS], two.attributes[names.STREAM_CHUNKS]) == (1, 2)
    assert (one.attributes[names.ANSWER_SIZE], two.attributes[names.ANSWER_SIZE]) == (3, 8)
    assert two.attributes[names.TIME_TO_FIRST_CHUNK] == 13
    await talking.close()


async def test_two_sessions_on_one_socket_are_kept_apart() -> None:
    """Chunks find their exchange by the session they name."""
    talking = await talk(SESSION, OTHER_SESSION)
    await talking.send(SESSION)
    await talking.send(OTHER_SESSION)
    await talking.say(chunk("b", OTHER_SESSION), session=OTHER_SESSION)
    await talking.say(chunk("a"))
    await talking.say(chunk("b", OTHER_SESSION, final=True), session=OTHER_SESSION)
    (other,) = talking.roots()
    assert other.attributes[names.SESSION_ID] == OTHER_SESSION
    await talking.say(chunk("aa"), chunk("aa", final=True))
    first = talking.roots()[1]
    assert first.attributes[names.SESSION_ID] == SESSION
    assert first.attributes[names.STREAM_CHUNKS] == 2
    await talking.close()


@pytest.mark.parametrize(
    ("frames", "outcome"),
    [
        ([status(3, "Error: boom")], "ai_error"),
        ([chunk("par"), status(3, "Error: boom")], "ai_error"),
        ([status(3, "timeout")], "ai_timeout"),
        ([status(2, "Session ended: stopped")], "cancelled"),
        ([status(3, "Session ended: error")], "ai_error"),
    ],
)
async def test_a_notice_ends_the_exchange(frames: list[str], outcome: str) -> None:
    """The earlier generation tells failures in status notices."""
    talking = await talk()
    await talking.send()
    talking.server.clock.move(2)
    await talking.say(*frames)
    (root,) = talking.roots()
    assert root.attributes[names.OUTCOME] == outcome
    assert talking.server.recording.total("ailoop.errors") == 1
    await talking.close()


async def test_the_servers_own_timeout_notice_is_the_detection() -> None:
    """Where no deadline of ours came first, its delay is 0 and its phase `total`."""
    talking = await talk()
    await talking.send()
    talking.server.clock.move(10)
    await talking.say(status(3, "timeout"))
    span = talking.server.recording.span(names.SPAN_AI_TIMEOUT)
    assert span.attributes[names.TIMEOUT_PHASE] == "total"
    assert span.attributes[names.TIMEOUT_DETECTION_DELAY] == 0
    assert duration(span) == 10
    await talking.close()


async def test_a_timeout_of_ours_gives_the_delay_until_the_client_was_told() -> None:
    """Noticed at 3 s, told by the server at 10 s."""
    talking = await talk(first_chunk=3)
    await talking.send()
    talking.server.clock.move(3)
    talking.server.watchdog.check()
    assert talking.roots() == []
    talking.server.clock.move(7)
    await talking.say(status(3, "timeout"))
    (point,) = talking.server.recording.points("ailoop.ai_timeout.report_delay")
    assert point.value == pytest.approx(7)
    (root,) = talking.roots()
    assert root.attributes[names.OUTCOME] == "ai_timeout"
    assert root.attributes[names.TIMEOUT_RECOVERED] is False
    assert talking.server.recording.total("ailoop.errors") == 1
    await talking.close()


async def test_a_stopped_session_cancels_its_answers() -> None:
    """Though the server still sends a final chunk for what it had."""
    talking = await talk()
    await talking.send()
    await talking.say(chunk("par"))
    await talking.socket.deliver(request("stopSession", 99, sessionId=SESSION))
    (root,) = talking.roots()
    assert root.attributes[names.OUTCOME] == "cancelled"
    whole = talking.server.recording.span(names.SPAN_SESSION)
    assert whole.attributes[names.SESSION_END_REASON] == "stopped"
    await talking.close()


async def test_a_client_that_left_ends_its_exchanges() -> None:
    """And frames that the session's task sends later are nobody's, without being told as unmatched."""
    talking = await talk()
    await talking.send()
    await talking.say(chunk("par"))
    await talking.socket.leave(1001)
    (root,) = talking.roots()
    assert root.attributes[names.OUTCOME] == "disconnected"
    talking.socket.broken = True
    await talking.say(chunk("late"), chunk("late", final=True))
    assert talking.server.recording.telemetry.unmatched == 0
    await talking.close()


async def test_a_server_that_stops_cancels() -> None:
    """uvicorn closes with 1012 when it is told to stop."""
    talking = await talk()
    await talking.send()
    await talking.say(chunk("par"))
    await talking.socket.leave(1012)
    (root,) = talking.roots()
    assert root.attributes[names.OUTCOME] == "cancelled"
    whole = talking.server.recording.span(names.SPAN_SESSION)
    assert whole.attributes[names.SESSION_END_REASON] == "server_shutdown"
    await talking.close()


async def test_a_chunk_that_fails_while_the_server_stops_is_no_client_that_left() -> None:
    """The answer has a task of its own: it may send between uvicorn's close and the endpoint's reading of it."""
    talking = await talk()
    await talking.send()
    await talking.say(chunk("par"))
    talking.socket.broken = True
    await talking.say(chunk("t"))
    await talking.socket.leave(1012)
    (root,) = talking.roots()
    assert root.attributes[names.OUTCOME] == "cancelled"
    assert names.ABANDONED_TIME not in root.attributes
    await talking.close()


async def test_a_chunk_without_an_exchange_is_counted_and_not_guessed() -> None:
    """Nothing is open: the frame belongs to no one."""
    talking = await talk()
    await talking.say(chunk("stray"))
    assert talking.server.recording.telemetry.unmatched == 1
    await talking.close()


async def test_one_session_on_two_sockets_keeps_its_chunks() -> None:
    """The asker's socket gets the acknowledgement, the owner's the chunks."""
    talking = await talk()
    server = talking.server

    async def acknowledge(socket: Socket, message: dict[str, Any]) -> None:
        await socket.text(reply(message["id"], {"messageId": "m", "status": 0}))

    second = await server.serve(answering({"sendUserMessage": acknowledge}))
    await second.deliver(request("sendUserMessage", 1, sessionId=SESSION, message="from elsewhere"))
    server.clock.move(1)
    await talking.say(chunk("x"), chunk("x", final=True))
    (root,) = talking.roots()
    assert root.attributes[names.OUTCOME] == "ok"
    assert root.attributes[names.SESSION_ID] == SESSION
    assert server.state.exchanges == set()
    await second.leave()
    assert server.recording.spans(names.SPAN_SESSION) == []
    await talking.close()
    assert server.recording.span(names.SPAN_SESSION).attributes[names.SESSION_TURNS] == 1
    assert duration(root) == 1
