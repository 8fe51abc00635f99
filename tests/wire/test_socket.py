"""The quick way of a further chunk through `send` ends where the whole way ends."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context, attach, detach, get_current, get_value, set_value
from opentelemetry.trace import get_current_span
from starlette.websockets import WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected

from ailoop_otel import names
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.tracking.exchange import CALLER, CURRENT, Exchange
from ailoop_otel.wire.socket import Send, Socket
from tests.exchanges import UPDATE
from tests.scripted import SCOPE, SESSION, Server, channel, compact, reply, request, update

COUNTED = (
    "chunks", "first", "last", "before", "max_gap", "max_gap_before", "longest_at", "stream_size", "frame_size",
    "repeated", "plain", "streamed_size",
)  # fmt: skip
OTHER = "76543210-89ab-cdef-0123-456789abcdef"
TEXTS = st.text(st.sampled_from(' !"#a\\ü€😀'), max_size=4)
FRAMES = (
    st.builds(update, TEXTS, agent=st.sampled_from(["a", "an agent"]), structured=st.booleans())
    | st.builds(lambda text: update("w" * 300 + text), TEXTS)
    # Of another session, and of another kind that ends as an update does.
    | st.builds(lambda text: update("w" * 400 + text, OTHER), TEXTS)
    | st.builds(
        lambda text, method: update("w" * 500 + text).replace("StreamingUpdate", method),
        TEXTS,
        st.sampled_from(["AnotherUpdate", "StreamingUpdates", "ThinkingUpdate"]),
    )
)


async def nowhere(message: Any) -> None:
    """A network that takes everything."""


async def silence() -> Any:
    """A client that says nothing."""


def opened(server: Server, network: Send = nowhere) -> tuple[Socket, Exchange]:
    """A connection whose server has shown its dialect, with an exchange that the running code is handling."""
    connection = Socket(server.state, SCOPE, silence, network)
    connection.sent(compact("agent.created", {}), server.clock.time)
    call = connection.request(request("sendUserMessage", 1, sessionId=SESSION, message="x"), server.clock.time)
    assert call is not None
    assert call.exchange is not None
    call.exchange.session_id = SESSION
    CURRENT.set(call.exchange)
    return connection, call.exchange


@settings(deadline=None)
@given(st.lists(st.tuples(FRAMES, st.floats(0, 3)), max_size=12))
async def test_chunks_are_counted_alike_on_both_ways(steps: list[tuple[str, float]]) -> None:
    """After each frame, whatever comes: empty, shorter, repeated, with another tail or head, of another session."""
    server = Server()
    connection, quick = opened(server)
    _, whole = opened(server)
    CURRENT.set(quick)
    for frame, pause in steps:
        server.clock.move(pause)
        await connection.send({"type": "websocket.send", "text": frame})
        if frame.startswith(UPDATE.head) and UPDATE.session(frame) == SESSION:
            whole.take(server.clock.time, frame, UPDATE)
        assert [getattr(quick, name) for name in COUNTED] == [getattr(whole, name) for name in COUNTED]
    assert [getattr(quick, name) for name in COUNTED] == [getattr(whole, name) for name in COUNTED]


@pytest.mark.parametrize("frame", [channel("wwwww"), compact("agent.switched", {"from": "a" * 200}), "{}", ""])
async def test_what_is_no_chunk_is_counted_as_none(frame: str) -> None:
    """However long it is, and on whichever side of the chunks it sorts."""
    server = Server()
    connection, exchange = opened(server)
    for text in (update("w"), update("ww"), frame):
        await connection.send({"type": "websocket.send", "text": text})
    assert (exchange.chunks, exchange.stream_size) == (2, len(update("w") + update("ww")))


@pytest.mark.parametrize(
    "message", [{"type": "websocket.send", "bytes": b"x"}, {"type": "websocket.send", "text": None}]
)
async def test_a_message_without_text_passes(message: dict[str, Any]) -> None:
    """Bytes, a closing: while an answer is streamed, too."""
    server = Server()
    taken: list[Any] = []

    async def take(sent: Any) -> None:
        taken.append(sent)

    connection, exchange = opened(server, take)
    for sent in ({"type": "websocket.send", "text": update("w")}, message):
        await connection.send(sent)
    assert taken[1] is message
    assert exchange.chunks == 1
    assert server.guard.errors == 0


@pytest.mark.parametrize("text", [7, b"x"])
async def test_a_fault_of_ours_is_counted_and_what_is_sent_passes(text: Any) -> None:
    """What no server sends: the quick way gives it to the other, which has the barrier."""
    server = Server()
    server.guard.strict = False
    taken: list[Any] = []

    async def take(sent: Any) -> None:
        taken.append(sent["text"])

    connection, exchange = opened(server, take)
    for sent in (update("w"), update("ww"), text, update("www")):
        await connection.send({"type": "websocket.send", "text": sent})
    assert taken == [update("w"), update("ww"), text, update("www")]
    assert exchange.chunks == 3
    assert server.guard.errors == 1


@pytest.mark.parametrize(
    "left",
    [ClientDisconnected(), WebSocketDisconnect(), RuntimeError("Unexpected ASGI message"), Exception("their own")],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize("sent_before", [0, 1, 2])
async def test_a_send_that_fails_is_seen_on_both_ways(sent_before: int, left: Exception) -> None:
    """Before the first chunk, at it and after it, once in 2 ms; when it is not a cancellation."""
    server = Server()
    broken: list[BaseException] = []

    async def take(sent: Any) -> None:
        if broken:
            raise broken[0]

    connection, exchange = opened(server, take)
    texts = iter([update("w" * (number + 1)) for number in range(sent_before + 2)])
    for _ in range(sent_before):
        await connection.send({"type": "websocket.send", "text": next(texts)})
    for fault in (CancelledError(), left):
        assert exchange.left == 0
        server.clock.move(0.002)
        broken[:] = [fault]
        with pytest.raises(type(fault)) as raised:
            await connection.send({"type": "websocket.send", "text": next(texts)})
        assert raised.value is fault
    assert exchange.left == server.clock.time


@pytest.mark.parametrize("sent_before", [0, 1, 2])
async def test_a_frame_that_cannot_be_sent_is_no_chunk_and_no_client_left(sent_before: int) -> None:
    """Half of a surrogate pair is no UTF-8; what was counted before stays, and a later frame is counted."""
    server = Server()

    async def take(sent: Any) -> None:
        sent["text"].encode()

    connection, exchange = opened(server, take)
    texts = ["w" * (number + 1) for number in range(sent_before)]
    for text in texts:
        await connection.send({"type": "websocket.send", "text": update(text)})
        server.clock.move(0.25)
    fields = ("chunks", "stream_size", "first", "max_gap", *(["last"] if sent_before else []))
    counted = [getattr(exchange, field) for field in fields]
    assert exchange.chunks == sent_before
    for end in ("\ud83d", "\ud83dx"):
        server.clock.move(1)
        frame = update("w" * sent_before + "half").replace("half", end)
        with pytest.raises(UnicodeEncodeError):
            await connection.send({"type": "websocket.send", "text": frame})
    assert [getattr(exchange, field) for field in fields] == counted
    assert (exchange.left, exchange.error_type) == (0, "UnicodeEncodeError")
    await connection.send({"type": "websocket.send", "text": update("w" * (sent_before + 5))})
    assert exchange.chunks == sent_before + 1
    assert exchange.last == server.clock.time


@pytest.mark.parametrize("method", ["sendUserMessage", "echo"])
async def test_a_reply_that_cannot_be_sent_is_a_request_that_failed(method: str) -> None:
    """Nobody gets it: the span says why, and does not stay open."""
    server = Server()

    async def take(sent: Any) -> None:
        sent["text"].encode()

    connection, exchange = opened(server, take)
    if method == "echo":
        connection.request(request("echo", 8, message="x"), server.clock.time)
    text = reply(8 if method == "echo" else 1, {"messageId": "m", "ai_response": "half"})
    with pytest.raises(UnicodeEncodeError):
        await connection.send({"type": "websocket.send", "text": text.replace("half", "\ud83d")})
    (span,) = server.recording.spans(method)
    assert span.attributes is not None
    assert span.attributes[names.ERROR_TYPE] == "UnicodeEncodeError"
    assert exchange.ended is (method == "sendUserMessage")


# --- What stands around the quick way ----------------------------------------------------------------------------
@pytest.mark.parametrize("number", [0, 1])
async def test_a_chunk_is_counted_before_it_is_sent(number: int) -> None:
    """The first as a further one: the time of sending is not in it."""
    server = Server()
    seen: list[tuple[int, int]] = []

    async def slow(message: Any) -> None:
        seen.append((exchange.chunks, exchange.last))
        server.clock.move(1)

    connection, exchange = opened(server, slow)
    begun = server.clock.time
    for text in ("a", "ab"):
        await connection.send({"type": "websocket.send", "text": update(text)})
    assert seen[number] == (number + 1, begun + number * SECOND)


async def test_a_chunk_shows_the_dialect() -> None:
    """Sent in the context of its message, the first way of a chunk."""
    server = Server()
    connection = Socket(server.state, SCOPE, silence, nowhere)
    call = connection.request(request("sendUserMessage", 1, sessionId=SESSION, message="x"), server.clock.time)
    assert call is not None
    assert call.exchange is not None
    CURRENT.set(call.exchange)
    await connection.send({"type": "websocket.send", "text": update("a")})
    assert [dialect.name for dialect in connection.traits.dialects] == ["stateless"]
    assert call.exchange.traits is connection.traits


@pytest.mark.parametrize(("data", "unread"), [(b"x", 1), (b"", 0)])
async def test_a_binary_frame_may_have_carried_the_answer(data: bytes, unread: int) -> None:
    """An empty one carried nothing."""
    server = Server()
    connection, exchange = opened(server)
    await connection.send({"type": "websocket.send", "bytes": data})
    assert exchange.unread == unread


@pytest.mark.parametrize("strict", [True, False])
async def test_a_fault_of_ours_keeps_no_message_from_the_application(strict: bool) -> None:
    """Before it waits and when a message has come; only a strict guard, as in tests, lets it out."""
    server = Server()
    server.guard.strict = strict
    message = {"kind": "of no ASGI server"}

    async def receive() -> Any:
        return message

    connection = Socket(server.state, SCOPE, receive, nowhere)
    if strict:
        with pytest.raises(KeyError):
            await connection.receive()
    else:
        assert await connection.receive() is message
    connection.calls = None  # type: ignore[assignment]
    if strict:
        with pytest.raises(TypeError):
            await connection.receive()
    else:
        assert await connection.receive() is message
        assert server.guard.errors == 3


@pytest.mark.parametrize("strict", [True, False])
async def test_a_fault_after_a_frame_was_sent_reaches_no_application(
    strict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frame went out in any case."""
    server = Server()
    server.guard.strict = strict
    taken: list[Any] = []

    async def take(sent: Any) -> None:
        taken.append(sent)

    connection, _ = opened(server, take)
    monkeypatch.setattr(Socket, "sent", lambda *_: 1 / 0)
    if strict:
        with pytest.raises(ZeroDivisionError):
            await connection.send({"type": "websocket.send", "text": "{}"})
    else:
        await connection.send({"type": "websocket.send", "text": "{}"})
        assert server.guard.errors == 1
    assert len(taken) == 1


async def test_a_message_s_handler_finds_its_span_in_the_context_that_was_there() -> None:
    """And the next time the application waits there is nothing but that context."""
    server = Server()
    base = set_value("kept", 1)
    token = attach(base)
    texts = iter([request("sendUserMessage", 1, sessionId=SESSION, message="x"), request("echo", 2)])

    async def receive() -> Any:
        assert (CURRENT.get(), CALLER.get(), get_current()) == (None, None, base)
        return {"type": "websocket.receive", "text": next(texts)}

    connection = Socket(server.state, SCOPE, receive, nowhere)
    await connection.receive()
    (call,) = connection.calls
    assert CURRENT.get() is call.exchange
    assert CALLER.get() == call.span.get_span_context()
    assert (get_current_span(), get_value("kept")) == (call.span, 1)
    await connection.receive()
    assert (CURRENT.get(), get_current()) == (None, base)
    assert CALLER.get() == connection.calls[1].span.get_span_context()
    detach(token)


async def test_without_a_context_the_handler_finds_the_exchange_s_own() -> None:
    """It is made once for each exchange."""
    server = Server()

    async def receive() -> Any:
        return {"type": "websocket.receive", "text": request("sendUserMessage", 1, message="x")}

    attach(Context())
    connection = Socket(server.state, SCOPE, receive, nowhere)
    await connection.receive()
    exchange = connection.calls[0].exchange
    assert exchange is not None
    assert get_current() is exchange.context


async def test_a_send_that_fails_between_two_looks_is_seen_at_the_next() -> None:
    """Further updates in quick succession pass without a coroutine of ours; what they raise reaches the server."""
    server = Server()

    async def take(sent: Any) -> None:
        if len(sent["text"]) > len(update("www")):
            raise OSError

    connection, exchange = opened(server, take)
    for text in ("w", "ww", "www"):
        await connection.send({"type": "websocket.send", "text": update(text)})
    for seconds, left in ((0.0, False), (0.0019, False), (0.0001, True)):
        server.clock.move(seconds)
        with pytest.raises(OSError):  # noqa: PT011 - any
            await connection.send({"type": "websocket.send", "text": update("w" * (exchange.chunks + 1))})
        assert bool(exchange.left) is left
    assert exchange.left == server.clock.time


async def test_a_send_that_fails_is_seen_at_the_end_in_any_case() -> None:
    """The repeat, the channel's frame and the reply are no further updates."""
    server = Server()
    gone: list[bool] = []

    async def take(sent: Any) -> None:
        if gone:
            raise OSError

    connection, exchange = opened(server, take)
    for text in ("w", "ww"):
        await connection.send({"type": "websocket.send", "text": update(text)})
    gone.append(True)
    for text, left in (("www", False), ("www", True)):
        with pytest.raises(OSError):  # noqa: PT011 - any
            await connection.send({"type": "websocket.send", "text": update(text)})
        assert bool(exchange.left) is left
