"""The quick way of a further chunk through `send` ends where the whole way ends."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ailoop_otel.tracking.exchange import CURRENT, Exchange
from ailoop_otel.wire.socket import Send, Socket
from tests.exchanges import UPDATE
from tests.scripted import SCOPE, SESSION, Server, channel, compact, request, update

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


@pytest.mark.parametrize("sent_before", [0, 1, 2])
async def test_a_send_that_fails_is_seen_on_both_ways(sent_before: int) -> None:
    """Before the first chunk, at it and after it, once in 20 ms; when it is not a cancellation."""
    server = Server()
    broken: list[BaseException] = []

    async def take(sent: Any) -> None:
        if broken:
            raise broken[0]

    connection, exchange = opened(server, take)
    texts = iter([update("w" * (number + 1)) for number in range(sent_before + 2)])
    for _ in range(sent_before):
        await connection.send({"type": "websocket.send", "text": next(texts)})
    for fault in (CancelledError(), OSError()):
        assert exchange.left == 0
        server.clock.move(0.02)
        broken[:] = [fault]
        with pytest.raises(type(fault)) as raised:
            await connection.send({"type": "websocket.send", "text": next(texts)})
        assert raised.value is fault
    assert exchange.left == server.clock.time


async def test_a_send_that_fails_between_two_looks_is_seen_at_the_next() -> None:
    """Further updates in quick succession pass without a coroutine of ours; what they raise reaches the server."""
    server = Server()

    async def take(sent: Any) -> None:
        if len(sent["text"]) > len(update("www")):
            raise OSError

    connection, exchange = opened(server, take)
    for text in ("w", "ww", "www"):
        await connection.send({"type": "websocket.send", "text": update(text)})
    for seconds, left in ((0.0, False), (0.019, False), (0.001, True)):
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
