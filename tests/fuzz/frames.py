"""Single frames of clients and servers, and answers made of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as some

from ailoop_otel import names
from ailoop_otel.protocol.answer import Answer
from ailoop_otel.protocol.foreign import harmless
from ailoop_otel.protocol.jsonrpc import error_code, id_text, is_reply, read_frame, read_request
from ailoop_otel.protocol.registry import DIALECTS
from tests.fuzz.target import Target
from tests.laws import hostile
from tests.scripted import chunk, reply, update

OUTCOMES = {name.name for name in names.OUTCOMES}
METHOD = "sendUserMessage"


def check(frames: list[str]) -> None:
    """Each is read or not, none raises; sessions are harmless; the answer has an outcome."""
    answer: Answer[int] = Answer(0, [])
    for now, frame in enumerate(frames, 1):
        request = read_request(frame)
        session = DIALECTS.session_of(request.method, request.params)
        assert session is None or harmless(session) == session
        id_text(request.id)
        _take(answer, now, frame)
    answer.handled()
    assert answer.outcome in OUTCOMES
    assert DIALECTS.problems() == []


def _take(answer: Answer[int], now: int, text: str) -> None:
    """As a connection reads what its server sends."""
    form = DIALECTS.form(text)
    if form is not None:
        form.session(text)
        answer.take(now, text, form)
        return
    frame = read_frame(text)
    if frame is None:
        answer.unreadable()
    elif is_reply(frame):
        _ending(answer, now, frame, len(text))
    else:
        answer.read(now, DIALECTS.notice(frame.get("method"), frame.get("params"))[1], len(text))


def _ending(answer: Answer[int], now: int, frame: dict[str, Any], size: int) -> None:
    code = error_code(frame)
    if code is not None:
        answer.refuse(code)
    for _, found in DIALECTS.replies(METHOD, frame.get("result")):
        answer.reply(now, found, size)


def _split(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogatepass" if b"\xed" in data else "replace").split("\n")[:8]


def from_bytes(data: bytes) -> list[str]:
    """Frames are separated by line breaks."""
    try:
        return _split(data)
    except UnicodeDecodeError:
        return data.decode("latin-1").split("\n")[:8]


TARGET = Target(
    "frames",
    "protocol/",
    some.lists(hostile.client_texts.filter(lambda text: text not in hostile.LONG) | hostile.server_texts, max_size=6),
    check,
    random=5_000,
    guided=90_000,
    from_bytes=from_bytes,
    seeds=tuple(
        text.encode()
        for text in (
            json.dumps({"jsonrpc": "2.0", "method": METHOD, "id": 1, "params": {"message": "x", "sessionId": "s"}}),
            "\n".join([update("a"), update("ab"), reply(1, {"ai_response": "ab", "status": 0})]),
            "\n".join([chunk("a"), chunk("a", final=True), reply(1, {"messageId": "m", "status": 0})]),
        )
    ),
)
