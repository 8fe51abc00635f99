"""Scripted conversations of both generations: every kind of message, answer and end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.laws.servers import ANSWERS, DELTAS, delegates, living, stateless
from tests.laws.stage import Bare, Handler, Seen, Socket, elsewhere
from tests.scripted import SESSION, chunk, compact, request, update

CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RECEIVE_FAILS = [asyncio.CancelledError(), KeyboardInterrupt(), ConnectionResetError("reset"), RuntimeError("own")]
SEND_FAILS = [asyncio.CancelledError(), KeyboardInterrupt(), RuntimeError("own"), ValueError("half of a pair")]


def frame(text: str) -> dict[str, Any]:
    """What the server gets when a client sends a text."""
    return {"type": "websocket.receive", "text": text}


@cache
def said(words: str, request_id: int | None = 1, trace: str | None = None) -> dict[str, Any]:
    """A user's message; the same is the same object, so that it can be known again."""
    meta = {"traceparent": trace}
    return frame(request("sendUserMessage", request_id, sessionId=SESSION, message=words, _meta=meta))


def closed(code: int) -> dict[str, Any]:
    """The end of a connection."""
    return {"type": "websocket.disconnect", "code": code}


START = frame(request("startSession", 0, userId="u"))
STOP = frame(request("stopSession", 8, sessionId=SESSION))
CALLS = [
    frame(request("echo", 2, message="x")), frame(request("echo", None)), frame(request("made.up", 3)),
    frame("{"), frame("[]"), frame('{"jsonrpc": "1.0", "method": "echo"}'),
    said("plain", None), said("plain", trace=CLIENT),
]  # fmt: skip
ENDS = [closed(1000), closed(1001), closed(1006), closed(1012), {"type": "websocket.disconnect"}]
UNANSWERED = frame(request("unanswered", 9))
BINARY = {"type": "websocket.receive", "bytes": b"\0"}
HEADERS = [(b"traceparent", CLIENT.encode())]

LIFESPAN = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
HTTP = {"type": "http.request", "body": b""}

Play = Callable[[Bare], list[Seen]]


def _played(host: Bare, handler: Handler, conversations: list[list[Any]]) -> list[Seen]:
    return [Socket(host, steps, handler).serve(headers=HEADERS) for steps in conversations]


def play_stateless(host: Bare) -> list[Seen]:
    """Conversations with the current generation."""
    answers = [said(words) for words in ANSWERS if words not in ("leave", "raise")]
    return [
        *_life(host),
        *_played(host, stateless, [[START, *answers, *CALLS, STOP], [said("elsewhere")], [said("strange")] * 2]),
        *_played(host, stateless, [[START, said("leave"), end] for end in ENDS]),
        *_played(
            host, stateless, [[START, said("raise")], [START, BINARY], [said("plain"), said("cut")], [said("odd")]]
        ),
        *_played(host, stateless, [[START, said("plain"), fault] for fault in RECEIVE_FAILS]),
        *_failing_sends(host, stateless),
        *_resumed(host, stateless),
        *_switched_off(host, stateless),
        *_late(host, stateless, [update("late"), compact("agent.message", {})]),
    ]


def play_delegates(host: Bare) -> list[Seen]:
    """Conversations with the earlier generation."""
    answers = [said(words) for words in DELTAS if words not in ("leave", "over")]
    return [
        *_life(host),
        *_played(host, delegates, [[START, *answers, *CALLS], [START, said("plain"), said("timeout")]]),
        *_played(host, delegates, [[START, said("blank"), end] for end in ENDS]),
        *_played(host, delegates, [[START, said("blank"), said("plain"), STOP], [START, *[UNANSWERED] * 70]]),
        *_played(host, delegates, [[START, said("leave")], [START, said("over")], [START, BINARY], [said("plain")]]),
        *_played(host, delegates, [[START, said("plain"), fault] for fault in RECEIVE_FAILS]),
        *_failing_sends(host, delegates),
        *_resumed(host, delegates),
        *_switched_off(host, delegates),
        *_late(host, delegates, [chunk("late"), chunk("late", final=True)]),
    ]


PLAYS: dict[str, Play] = {"stateless": play_stateless, "delegates": play_delegates}


def _failing_sends(host: Bare, handler: Handler) -> list[Seen]:
    """Each frame of an answer, in its turn, is what a send fails at."""
    seen = []
    for number, fault in enumerate(SEND_FAILS * 2, start=1):
        socket = Socket(host, [START, said("plain")], handler)
        left = iter(range(number))

        def refuse(_: Any, left: Any = left, fault: BaseException = fault) -> BaseException | None:
            return fault if next(left, None) is None else None

        socket.refuse = refuse
        seen.append(socket.serve())
    return seen


def _resumed(host: Bare, handler: Handler) -> list[Seen]:
    """A session is used by another socket while its own is there, and by a third when it is not."""
    other = Socket(host, [said("plain"), said("slow")], handler)
    own = Socket(host, [START, said("plain"), other.serve, said("plain")], handler)
    return [own.serve(), other.seen, Socket(host, [said("plain"), STOP, START], handler).serve()]


def _switched_off(host: Bare, handler: Handler) -> list[Seen]:
    """In mid-conversation, and on again for the next."""
    steps = [START, said("slow"), said("plain", None), host.switch_off, said("plain"), host.switch_on, said("plain")]
    return _played(host, handler, [steps, [START, said("plain")]])


def _life(host: Bare) -> list[Seen]:
    """The application's own life, and a plain HTTP request."""
    return [
        Socket(host, LIFESPAN, living).serve(type="lifespan"),
        Socket(host, [HTTP], living).serve(type="http"),
    ]


def _late(host: Bare, handler: Handler, frames: list[str]) -> list[Seen]:
    """Frames are sent when the connection is over."""
    socket = Socket(host, [START, said("plain")], handler)
    seen = [socket.serve()]
    for text in frames:
        elsewhere(socket.text(text))
    return seen
