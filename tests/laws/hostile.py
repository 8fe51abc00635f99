"""What hostile clients send, and what broken servers do."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.scripted import SESSION, channel, chunk, compact, reply, spaced, status, update

SESSIONS = [SESSION, SESSION.replace("0", "f"), "short", "x" * 64, "x" * 65, "", "two words", "\ud800", 'a","b']
IDS: list[Any] = [1, 2, 1.0, True, None, "1", "x", {}, {"a": 1}, [], float("nan"), float("inf"), 10**40, "\ud800", ""]
METHODS = ["sendUserMessage", "startSession", "stopSession", "echo", "made.up", "", "two words", "\ud800", "x" * 99]
TEXTS = ["", "a", "ab", "abc", "/help", "ü\ud800", '"sessionId":"s"', "w" * 100, "\0", '"isFinal": true}}']
COMPACT = ["StreamingUpdate", "ChannelMessageNotification"]
SPACED = ["AIMessageChunkNotification", "SessionStatusNotification"]
TRACES = ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-x", "", "\ud800"]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ids = st.just(1) | st.just(2) | st.sampled_from(IDS) | anything
names = st.just(SESSION) | st.sampled_from(SESSIONS[:2]) | st.sampled_from(SESSIONS)
sessions = names | anything
texts = st.sampled_from(TEXTS) | st.text(max_size=20)
traces = st.sampled_from(TRACES) | anything


def _text(frame: Any) -> str:
    return json.dumps(frame)


@st.composite
def requests(draw: st.DrawFn) -> str:
    """What is a request, or nearly."""
    params: Any = {"message": draw(texts | anything)}
    if draw(st.booleans()):
        params["sessionId"] = draw(sessions)
    if draw(st.booleans()):
        params["_meta"] = draw(st.fixed_dictionaries({"traceparent": traces}) | anything)
    frame = {
        "jsonrpc": "2.0",
        "method": draw(st.sampled_from(METHODS[:4]) | st.sampled_from(METHODS)),
        "params": params,
    }
    if draw(st.integers(0, 3)):
        frame["id"] = draw(ids)
    for key in draw(st.lists(st.sampled_from(["jsonrpc", "method", "params", "id"]), max_size=1)):
        frame[key] = draw(anything)
    return _text(frame)


LONG = {
    "deep": "[" * 5_000,
    "deep and whole": "[" * 5_000 + "]" * 5_000,
    "huge": '{"id":' + "9" * 5_000 + "}",
    "deep id": '{"jsonrpc":"2.0","method":"echo","id":' + "[" * 900 + "]" * 900 + "}",
    "1 MiB": '{"jsonrpc":"2.0","method":"sendUserMessage","id":1,"params":{"message":"' + "w" * 1_048_576 + '"}}',
}


def whole(message: Any) -> Any:
    """The message, where its text is only the name of one that is too long to stand in a report."""
    text = message.get("text")
    return {**message, "text": LONG[text]} if text in LONG else message


odd_texts = st.sampled_from(sorted(LONG)) | st.sampled_from(
    [
        "", "{", "null", "[]", "NaN",
        '{"jsonrpc":"2.0","method":"echo","id":1,"id":2,"method":"sendUserMessage","method":"echo"}',
    ]
)  # fmt: skip
client_texts = requests() | requests() | requests() | odd_texts | anything.map(_text) | st.text(max_size=20)
client_messages = client_texts.map(lambda text: {"type": "websocket.receive", "text": text}) | st.sampled_from(
    [
        {"type": "websocket.receive", "bytes": b""},
        {"type": "websocket.receive", "bytes": b"\xff", "text": None},
        {"type": "websocket.receive"},
        {"type": "something.else"},
    ]
)

keys = st.sampled_from(["sessionId", "content", "metadata", "chunk", "isFinal", "status", "reason"])
results = (
    st.sampled_from([{"messageId": "m", "status": 0}, {"status": 2}, None, "x", {}])
    | texts.map(lambda text: {"messageId": "m", "ai_response": text})
    | st.just({"messageId": "m", "ai_response": None})
    | sessions.map(lambda session: {"sessionId": session, "status": 1})
    | anything
)
errors = st.sampled_from([{"code": code} for code in (-32700, -32600, -32602, -32603, -32001, 7, True, "x", 10**30)])
replies = (
    st.builds(reply, ids, results)
    | st.builds(lambda request_id, error: _text({"id": request_id, "error": error}), ids, errors | anything)
    | st.just('{"error": "INTERNAL_ERROR", "message": "m", "id": 1}')
)
notices = (
    st.builds(update, texts, names)
    | st.builds(lambda text, session: update(text, session, structured=True), texts, names)
    | st.builds(channel, texts, names)
    | st.builds(chunk, texts, names)
    | st.builds(lambda text, session: chunk(text, session, final=True), texts, names)
    | st.builds(status, st.integers(-1, 4), st.sampled_from(["timeout", "Session ended: x", "Error: x", ""]), names)
    | st.builds(compact, st.sampled_from([*COMPACT, "agent.created", "x"]), st.dictionaries(keys, anything))
    | st.builds(spaced, st.sampled_from([*SPACED, "ToolCallNotification"]), st.dictionaries(keys, anything))
)


@st.composite
def cut(draw: st.DrawFn) -> str:
    """A frame of which some is missing, or stands twice."""
    frame = draw(replies | notices)
    start, end = sorted((draw(st.integers(0, len(frame))), draw(st.integers(0, len(frame)))))
    return draw(st.sampled_from([frame[start:], frame[:end], frame[:start] + frame[end:], frame + frame]))


server_texts = replies | notices | notices | cut() | odd_texts | st.text(max_size=20)
server_messages = server_texts.map(lambda text: {"type": "websocket.send", "text": text}) | st.sampled_from(
    [
        {"type": "websocket.send", "bytes": b"\xff"},
        {"type": "websocket.send", "text": None},
        {"type": "websocket.close", "code": 1000},
        {"type": "websocket.accept"},
    ]
)
# What a server does for a message: frames, and seconds that pass.
answers = st.lists(server_messages | server_messages | st.floats(0, 10), max_size=5)
FLOODS = [
    '{"jsonrpc": "2.0", "method": "echo", "id": %d}',
    '{"jsonrpc": "2.0", "method": "sendUserMessage", "id": %d, "params": {"message": "x"}}',
    '{"jsonrpc": "2.0", "method": "sendUserMessage", "id": %d, "params": {"message": "x", "sessionId": "session-%d"}}',
    '{"jsonrpc": "2.0", "method": "startSession", "id": %d}',
]
floods = st.sampled_from(FLOODS)


def flood(text: str) -> list[tuple[Any, list[Any]]]:
    """A request seventy times over, and what is answered: a session is started each time, all else is not answered."""
    messages = []
    for number in range(70):
        start = reply(number, {"sessionId": f"session-{number % 7}"}) if "startSession" in text else "x"
        message = {"type": "websocket.receive", "text": text.replace("%d", str(number))}
        messages.append((message, [{"type": "websocket.send", "text": start}]))
    return messages


# What the server replies to the very request, made of the request's id; `None` is no reply.
endings = (
    st.none()
    | results.map(lambda result: {"result": result})
    | results.map(lambda result: {"result": result})
    | (errors | anything).map(lambda error: {"error": error})
)


def replied(message: Any, ending: Any) -> Any:
    """The reply with this ending to a message, as well as its id can be read."""
    try:
        request = json.loads(message["text"])
        request_id = request.get("id")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        request_id = None
    return {"type": "websocket.send", "text": _text({"jsonrpc": "2.0", "id": request_id, **ending})}


headers = st.lists(st.tuples(st.sampled_from([b"traceparent", b"host"]), st.sampled_from(
    [trace.encode("utf-8", "surrogatepass") for trace in TRACES] + [b"\xff"]
)), max_size=2)  # fmt: skip
clients = st.sampled_from([("127.0.0.1", 1), None, ["::1", 2], ("", 0), ("host", None), ("\ud800", 65535)])
closes = st.sampled_from([1000, 1001, 1005, 1006, 1011, 1012, 4999, None])
