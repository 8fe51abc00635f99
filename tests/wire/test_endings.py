"""How connections end, and what becomes of what was open on them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from ailoop_otel import names
from tests.recorder import duration
from tests.scripted import SESSION, Socket, chunk, request, status, update
from tests.wire.talk import Talk, acknowledged, answered, delegates, message, stateless, streamed

Open = Callable[..., Awaitable[Talk]]
BOTH = pytest.mark.parametrize("open_", [stateless, delegates])


def ends(talk: Talk) -> list[Any]:
    """The reasons for which the sessions ended."""
    spans = talk.recording.spans(names.SPAN_SESSION)
    return [span.attributes[names.SESSION_END_REASON] for span in spans if span.attributes]


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (1000, "disconnected", "disconnected"),
        (1001, "disconnected", "disconnected"),
        (1005, "disconnected", "disconnected"),
        (1006, "disconnected", "disconnected"),
        (1012, "cancelled", "server_shutdown"),
        (None, "disconnected", "disconnected"),
    ],
)
async def test_a_close_in_mid_answer(code: Any, outcome: str, reason: str) -> None:
    """A client that left is told from a server that stops, which closes with 1012."""
    talk = await delegates()
    await talk.say(message(2), acknowledged(2), chunk("a"))
    talk.server.clock.move(2)
    await talk.leave(code)
    assert talk.outcomes() == [outcome]
    assert ends(talk) == [reason]
    assert duration(talk.recording.span("sendUserMessage")) == 2


@BOTH
@pytest.mark.fault(
    "foreign",
    theirs="The application raises",
    promise="The same exception passes; message and session end with its class",
)
async def test_an_application_that_raises(open_: Open) -> None:
    """The exchange and the session end with it, and the error's class is told."""
    talk = await open_()
    fault = ZeroDivisionError("secret")
    await talk.say(message(2), 1.0, fault)
    with pytest.raises(ZeroDivisionError) as caught:
        await task(talk)
    assert caught.value is fault
    (exchange,) = talk.exchanges()
    assert (exchange[names.OUTCOME], exchange[names.ERROR_TYPE]) == ("server_error", "ZeroDivisionError")
    assert ends(talk) == ["error"]


def task(talk: Talk) -> asyncio.Task[None]:
    """The task that serves the connection."""
    assert talk.socket.task is not None
    return talk.socket.task


@BOTH
async def test_an_application_that_raises_ends_its_other_calls(open_: Open) -> None:
    """With the same class."""
    talk = await open_()
    await talk.say(request("echo", 2), ValueError())
    with pytest.raises(ValueError):  # noqa: PT011 - it is the one above
        await task(talk)
    (call,) = talk.calls("echo")
    assert call[names.ERROR_TYPE] == "ValueError"


@BOTH
async def test_a_cancelled_application_cancels_what_is_open(open_: Open) -> None:
    """Nobody failed: the server ended it."""
    talk = await open_()
    await talk.say(message(2), update("a"), chunk("a"))
    await talk.say(request("echo", 3))
    task(talk).cancel()
    with pytest.raises(asyncio.CancelledError):
        await task(talk)
    assert talk.outcomes() == ["cancelled"]
    assert talk.calls("echo")[0][names.ERROR_TYPE] == "cancelled"


async def test_a_cancelled_send_is_not_a_client_that_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The earlier generation cuts its answer off after 10 s, perhaps while it is sending."""
    stuck = asyncio.Event()
    through = Socket._send

    async def send(socket: Socket, frame: Any) -> None:
        if "stuck" in str(frame):
            stuck.set()
            await asyncio.Event().wait()
        await through(socket, frame)

    monkeypatch.setattr(Socket, "_send", send)
    talk = await delegates()
    await talk.say(message(2), acknowledged(2), chunk("a"))
    sending = asyncio.create_task(talk.elsewhere(chunk("stuck")))
    await stuck.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await talk.elsewhere(status(3, "timeout"))
    assert talk.outcomes() == ["ai_timeout"]


async def test_an_answer_for_a_client_that_left_goes_on_and_is_told() -> None:
    """Each send fails; how long the server went on stands in the span."""
    talk = await stateless()

    def leave() -> None:
        talk.socket.broken = True

    await talk.say(message(2), update("a"), leave, 1.0, update("ab"), 5.0, answered(2, "ab"))
    await talk.leave(1006)
    (exchange,) = talk.exchanges()
    assert exchange[names.OUTCOME] == "disconnected"
    assert exchange[names.ABANDONED_TIME] == 5.0


@BOTH
async def test_a_call_without_a_reply_ends_with_the_connection(open_: Open) -> None:
    """As an error: its client never heard."""
    talk = await open_()
    await talk.say(request("echo", 2))
    await talk.leave()
    (span,) = talk.recording.spans("echo")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes[names.ERROR_TYPE] == "disconnected"


@BOTH
async def test_what_is_sent_after_the_end_is_nobody_s(open_: Open) -> None:
    """The earlier generation goes on sending to dead sockets, for sessions that live elsewhere now."""
    talk = await open_()
    await talk.leave()
    other = await open_(None, talk.server)
    head = [acknowledged(3)] if open_ is delegates else []
    await other.say(message(3), 1.0, *head)
    late = [chunk("late"), chunk("late", final=True)] if open_ is delegates else [*streamed(3, "late")]
    await talk.elsewhere(*late)
    assert other.exchanges() == []
    assert talk.recording.telemetry.unmatched == 0
    assert talk.recording.spans(names.SPAN_FIRST_CHUNK) == []
    await other.leave()
    assert other.outcomes() == ["disconnected"]


@BOTH
async def test_a_socket_that_outlives_a_switching_off_is_passed_through_for_ever(open_: Open) -> None:
    """Also when it is switched on again: half a conversation is none."""
    talk = await open_()
    state = talk.server.state
    await talk.say(message(2))
    state.switch_off(talk.server.clock.now())
    assert talk.outcomes() == ["cancelled"]
    sent = len(talk.socket.sent)
    await talk.say(message(3), update("x"), chunk("x"), answered(3, "x"))
    state.active = True
    await talk.say(message(4), update("x"), chunk("x"), answered(4, "x"))
    await talk.say(message(5))
    await talk.leave()
    assert len(talk.socket.sent) == sent + 6
    assert talk.outcomes() == ["cancelled"]
    assert state.exchanges == set()
    assert len(state.queues) == 0
    assert talk.recording.total("ailoop.session.active") == 0
    assert talk.recording.total("ailoop.connection.active") == 0


@BOTH
async def test_a_server_that_shuts_down_ends_all(open_: Open) -> None:
    """Exchanges as `cancelled`, sessions as `server_shutdown`, each once."""
    talk = await open_()
    await talk.say(message(2))
    talk.server.state.shut_down(talk.server.clock.now())
    assert (talk.outcomes(), ends(talk)) == (["cancelled"], ["server_shutdown"])
    await talk.leave(1012)
    assert (talk.outcomes(), ends(talk)) == (["cancelled"], ["server_shutdown"])
    assert talk.recording.total("ailoop.session.retained") == 0


async def test_a_session_is_named_in_the_metric_s_labels_nowhere() -> None:
    """Only its end's reason is."""
    talk = await stateless()
    await talk.leave()
    (point,) = talk.recording.points("ailoop.session.duration")
    assert point.labels == {names.SESSION_END_REASON: "disconnected"}
    assert SESSION not in str(talk.recording.points("ailoop.session.turns"))
