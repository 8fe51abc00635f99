"""A chat server without sockets: a scripted client and the frames with which the current AILoop answers it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

SESSION = "01234567-89ab-cdef-0123-456789abcdef"
WORDS = 100
_WORD = "answer "
CONNECT = {"type": "websocket.connect"}
DISCONNECT = {"type": "websocket.disconnect", "code": 1000}
_TAIL = '","sessionId":"%s","agentId":"a","isPartial":true,"format":"text","rawContent":true}}'
HEAD = '{"jsonrpc":"2.0","method":"StreamingUpdate","params":{"type":"streaming_chunk","content":"'

Frames = Sequence[str]
Step = tuple[dict[str, Any], Frames]  # what the client sends, and what the server answers


def scope() -> dict[str, Any]:
    """A WebSocket's scope as uvicorn makes it."""
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "root_path": "",
        "path": "/ws",
        "raw_path": b"/ws",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"client/1"), (b"upgrade", b"websocket")],
        "subprotocols": [],
        "state": {},
        "extensions": {"websocket.http.response": {}},
    }


def update(text: str, session: str = SESSION) -> str:
    """A chunk: all text so far."""
    return HEAD + text + _TAIL % session


def answer(chunks: int, session: str = SESSION) -> list[str]:
    """The frames between message and reply; the text is as long however many chunks it comes in."""
    words = [_WORD] * WORDS
    ends = [round((number + 1) * WORDS / chunks) for number in range(chunks)]
    frames = [update("".join(words[:end]), session) for end in ends]
    text = "".join(words)
    metadata = {"sequence": 1, "timestamp": "2026-01-01T00:00:00", "agentId": "a", "sessionId": session}
    params = {"type": "channel_message", "channel": "final", "content": text, "metadata": metadata}
    whole = {"jsonrpc": "2.0", "method": "ChannelMessageNotification", "params": params}
    # The server sends its last chunk twice.
    return [*frames, frames[-1], json.dumps(whole, separators=(",", ":"))]


def start(session: str = SESSION) -> Step:
    """Start a session."""
    request = {"jsonrpc": "2.0", "id": 0, "method": "startSession", "params": {"userId": "u"}}
    frames = [
        '{"jsonrpc":"2.0","method":"agent.created","params":{"agent_id":"a","active":true}}',
        '{"jsonrpc":"2.0","method":"agent.switched","params":{"from":"a","to":"a"}}',
        json.dumps({"jsonrpc": "2.0", "id": 0, "result": {"sessionId": session, "status": 1}}),
    ]
    return _received(request), frames


def message(number: int, streamed: Frames, session: str = SESSION) -> Step:
    """One chat message and its whole answer; `streamed` is from `answer`."""
    params = {"sessionId": session, "message": "a question of some length, as people ask them"}
    request = {"jsonrpc": "2.0", "id": number, "method": "sendUserMessage", "params": params}
    result = {"messageId": "m", "status": 0, "ai_response": _WORD * WORDS, "tool_calls": []}
    return _received(request), [*streamed, json.dumps({"jsonrpc": "2.0", "id": number, "result": result})]


def _received(request: dict[str, Any]) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": json.dumps(request)}


class Socket:
    """One connection. `at` is called before the client's step of a number; what reaches the client is counted."""

    def __init__(self, steps: Iterable[Step], at: dict[int, Callable[[], None]] | None = None) -> None:
        self._steps: Iterator[Step] = iter([(CONNECT, ()), *steps, (DISCONNECT, ())])
        self._at = at or {}
        self._number = -2
        self.frames: Frames = ()
        self.sent = 0
        self.kept: list[Any] | None = None  # the frames themselves, where they are looked at

    async def receive(self) -> dict[str, Any]:
        """The client's next message."""
        self._number += 1
        if self._number in self._at:
            self._at[self._number]()
        received, self.frames = next(self._steps)
        return received

    async def send(self, sent: dict[str, Any]) -> None:
        """A message has reached the network."""
        self.sent += 1
        if self.kept is not None:
            self.kept.append(sent.get("text"))

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        """The server: answers one message after the other."""
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        while True:
            received = await receive()
            if received["type"] == "websocket.disconnect":
                return
            for text in self.frames:
                await send({"type": "websocket.send", "text": text})
