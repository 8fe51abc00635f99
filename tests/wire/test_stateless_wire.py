"""The current generation's wire through the middleware."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from ailoop_otel import names
from tests.recorder import duration
from tests.scripted import SESSION, Server, Socket, answering, channel, compact, reply, request, update, updates


async def start_session(socket: Socket, message: dict[str, Any]) -> None:
    """As the server starts a session."""
    await socket.text(compact("agent.created", {"agent_id": "a", "active": True}))
    await socket.text(compact("agent.switched", {"from": "a", "to": "a"}))
    await socket.text(reply(message["id"], {"sessionId": SESSION, "status": 1}))


def script(*frames: Any) -> Any:
    """A handler of messages that sends frames, lets seconds pass, and replies where told to."""

    async def handler(socket: Socket, message: dict[str, Any]) -> None:
        for frame in frames:
            if isinstance(frame, float):
                socket.server.clock.move(frame)
            elif isinstance(frame, dict):
                await socket.text(reply(message.get("id"), frame))
            elif callable(frame):
                frame(socket)
            else:
                await socket.text(frame)

    return handler


def result(text: str | None, **more: Any) -> dict[str, Any]:
    """The result of a message's reply."""
    return {"messageId": "m", "status": 0, "ai_response": text, "tool_calls": [], **more}


async def converse(*frames: Any, message: str = "hello", **settings: Any) -> Server:
    """One message on one socket, answered with `frames`; the client stays."""
    server = Server(**settings)
    socket = await server.serve(answering({"startSession": start_session, "sendUserMessage": script(*frames)}))
    await socket.deliver(request("startSession", 1, userId="u"))
    await socket.deliver(request("sendUserMessage", 2, sessionId=SESSION, message=message))
    server.recording.socket = socket
    return server


async def test_a_message_is_one_trace_while_the_socket_is_open() -> None:
    """The root has the two stages below it, and all three have ended though the client is still there."""
    server = await converse(
        0.5, update("Hi"), 0.25, update("Hi you"), update("Hi you"), channel("Hi you"), 0.1, result("Hi you")
    )
    root = server.recording.span("sendUserMessage")
    first, stream = server.recording.span(names.SPAN_FIRST_CHUNK), server.recording.span(names.SPAN_STREAM)
    assert root.kind is SpanKind.SERVER
    assert root.parent is None
    assert root.status.status_code is StatusCode.UNSET
    assert {span.parent.span_id for span in (first, stream)} == {root.context.span_id}
    assert duration(first) == 0.5
    assert duration(stream) == 0.25
    assert duration(root) == pytest.approx(0.85)
    assert root.attributes[names.OUTCOME] == "ok"
    assert root.attributes[names.STREAM_CHUNKS] == 2
    assert root.attributes[names.ANSWER_SIZE] == 6
    assert root.attributes[names.TIME_TO_FIRST_CHUNK] == 0.5
    assert root.attributes[names.SESSION_ID] == SESSION
    assert root.attributes[names.DIALECT] == "stateless"
    start = server.recording.span(names.SPAN_SESSION_START)
    assert [link.context.span_id for link in root.links] == [start.context.span_id]


async def test_an_empty_update_is_not_the_first_chunk() -> None:
    """A tool round begins with an update that holds no text."""
    server = await converse(update(""), 2.0, *updates(["w0", " w1"]), channel("w0 w1"), result("w0 w1"))
    assert server.recording.span("sendUserMessage").attributes[names.TIME_TO_FIRST_CHUNK] == 2.0
    assert server.recording.span("sendUserMessage").attributes[names.STREAM_CHUNKS] == 2


@pytest.mark.parametrize(
    ("frames", "outcome"),
    [
        ((*updates(["a", "b"]), channel("ab"), result("ab")), "ok"),
        ((result(None),), "ai_error"),
        ((update("a"), update("ab"), channel("ab"), result("ab")), "cut"),
        ((update("a", structured=True), channel("a"), result("a")), "ok"),
        ((channel("all"), result("all")), "ok"),
        ((update(""), result("")), "no_answer"),
        ((compact("agent.message", {"agent_id": "system"}), {"messageId": "m", "status": 0}), "ok"),
        ((update("x"), update('x "tool_calls"'), result('x "tool_calls" y')), "ok"),
    ],
)
async def test_the_outcome_is_what_the_frames_say(frames: Any, outcome: str) -> None:
    """Also where the server says `status: 0`."""
    server = await converse(0.1, *frames)
    root = server.recording.span("sendUserMessage")
    assert root.attributes[names.OUTCOME] == outcome
    assert (root.status.status_code is StatusCode.ERROR) == (outcome != "ok")
    assert root.attributes.get(names.ERROR_TYPE) == (None if outcome == "ok" else outcome)
    assert server.recording.total("ailoop.errors") == (outcome != "ok")


async def test_a_client_that_left_shows_as_a_failing_send() -> None:
    """The server goes on, and how long it did is told."""

    def leave(socket: Socket) -> None:
        socket.broken = True

    server = await converse(update("a"), leave, 1.0, update("ab"), 3.0, result("ab"))
    await server.recording.socket.leave(1006)
    root = server.recording.span("sendUserMessage")
    assert root.attributes[names.OUTCOME] == "disconnected"
    assert root.attributes[names.ABANDONED_TIME] == 3.0


async def test_a_session_is_a_trace_of_its_own() -> None:
    """Its start is exported at once, its whole life when the last connection closes."""
    server = await converse(*updates(["a"]), result("a"))
    assert server.recording.spans(names.SPAN_SESSION) == []
    start = server.recording.span(names.SPAN_SESSION_START)
    server.clock.move(60)
    await server.recording.socket.leave()
    whole = server.recording.span(names.SPAN_SESSION)
    assert whole.parent.span_id == start.context.span_id
    assert whole.attributes[names.SESSION_END_REASON] == "disconnected"
    assert whole.attributes[names.SESSION_TURNS] == 1
    assert duration(whole) == 60
    assert server.recording.total("ailoop.session.retained") == 1
    assert server.recording.total("ailoop.session.active") == 0
