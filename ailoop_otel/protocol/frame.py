"""What a frame can mean, whatever the generation of AILoop that sent it."""

from __future__ import annotations

import json
import re
from enum import Enum, auto
from typing import Any, Final, NamedTuple, Protocol

MESSAGE_METHOD: Final = "sendUserMessage"
START_METHOD: Final = "startSession"
STOP_METHOD: Final = "stopSession"
PROTOCOL_ERRORS: Final = frozenset({-32700, -32600, -32601, -32602})
# What a client or provider invents is recorded only in this form.
_HARMLESS: Final = re.compile(r"[\w.:/-]{1,64}", re.ASCII)
# Those that JSON-RPC reserves; AILoop uses no others.
_CODES: Final = range(-32768, -31999)
# As the server writes it; `json.dumps` would make an encoder at each call.
_in_json: Final = json.JSONEncoder(ensure_ascii=False).encode
_value_at_start: Final = json.JSONDecoder().raw_decode
Json = dict[str, Any]


class Meaning(Enum):
    """What a notification says of the exchange or session it belongs to."""

    CHUNK = auto()  # a piece of the answer's text
    TEXT = auto()  # the answer's text in one piece
    FINAL = auto()  # the answer is complete
    FAILED = auto()  # the AI failed
    TIMED_OUT = auto()  # the server itself gave up waiting for the AI
    SESSION_ENDED = auto()
    SESSION_FAILED = auto()
    OTHER = auto()


class Notice(NamedTuple):
    """A notification read: its meaning, its session, the length of the answer's text in it (characters)."""

    meaning: Meaning
    session_id: str | None = None
    size: int = 0


class Answer(NamedTuple):
    """What the reply to a message says: whether it is only an acknowledgement, and how the AI fared.

    `command`: no AI was asked at all. `tells_ending`: a stream that ended well would have shown it
    (`Dialect.plain_tail`).
    """

    acknowledges: bool = False
    failed: bool = False
    command: bool = False
    text: str = ""
    tells_ending: bool = True

    @property
    def size(self) -> int:
        """The length of the answer, characters."""
        return len(self.text)

    @property
    def wire_size(self) -> int:
        """The same as it stands in JSON."""
        return len(_in_json(self.text)) - 2


class Dialect(Protocol):
    """How one generation speaks. All functions are pure and raise nothing on frames of their own shape."""

    name: str
    methods: frozenset[str]  # the methods it answers
    commands: frozenset[str]  # messages that are for the server, not for the AI
    chunk_head: str  # how every frame with a piece of the answer begins, up to its first variable part
    chunk_empty: str  # how it begins when there is no text in it
    text_from: str  # cumulative frames with text sort from here on; a few may sort before, but no others behind
    text_below: str  # and before this
    whole_head: str  # how a frame begins that brings the text of a streamed answer once more; empty where none does
    final_tail: str  # how the frame ends that completes the answer; empty where there is none
    cumulative: bool  # each chunk holds all text so far, and the last is sent twice
    plain_tail: str  # how a chunk ends that is sent again when its stream ended well
    queues: bool  # a message waits until the session's earlier ones are answered
    takes_notifications: bool  # a message without id is answered, though not replied to
    socket_owns_session: bool  # a message belongs to the socket's session, whatever id it names
    stop_cuts: bool  # stopping a session cuts the answers it is giving

    def recognises(self, text: str) -> bool:
        """Whether only this generation sends such a frame."""

    def chunk_session(self, text: str) -> str | None:
        """The session that a chunk frame belongs to, without reading the whole frame."""

    def chunk_rest(self, text: str) -> int:
        """How much of a chunk frame is not the answer's text, characters."""

    def chunk_size(self, length: int) -> int:
        """The characters of text in a chunk frame of this length."""

    def notice(self, frame: Json) -> Notice:
        """What a notification means."""

    def answer(self, result: Any) -> Answer | None:
        """What the result of a reply to a message means; None where it is not this generation's."""


class Request(NamedTuple):
    """One frame of a client, read. `valid` is False for what is no JSON-RPC 2.0 request.

    `trace` is the client's `traceparent`, `session_id` what the parameters name, `command` the first word of the
    message where it begins with a slash.
    """

    method: str | None = None
    id: Any = None
    has_id: bool = False
    session_id: str | None = None
    command: str | None = None
    trace: Any = None
    valid: bool = False


INVALID: Final = Request()


def read_request(text: str) -> Request:
    """Read a client's frame; whatever it holds, it is a `Request`."""
    try:
        frame = _decoded(text)
    except (ValueError, RecursionError):
        return INVALID
    if not isinstance(frame, dict):
        return INVALID
    method = frame.get("method")
    known = isinstance(method, str) and frame.get("jsonrpc") == "2.0"
    params = frame.get("params")
    params = params if isinstance(params, dict) else {}
    meta = params.get("_meta")
    trace = meta.get("traceparent") if isinstance(meta, dict) else None
    session_id, command = identifier(params.get("sessionId")), _command(params.get("message"))
    # By their places: by their names is twice as dear.
    return Request(
        method if isinstance(method, str) else None, frame.get("id"), "id" in frame, session_id, command, trace, known
    )


def read_frame(text: str) -> Json | None:
    """Read a server's frame; None where it is no JSON object."""
    try:
        frame = _decoded(text)
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None


def is_reply(frame: Json) -> bool:
    """Whether a frame replies to a request; AILoop's odd error replies have nothing but `error` and `id`."""
    return "method" not in frame and ("id" in frame or "error" in frame)


def error_code(reply: Json) -> int | None:
    """A reply's error code; 0 where there is an error without one of JSON-RPC's, None where there is no error.

    A client can have any other code sent back to it by `echo`, and codes become labels.
    """
    if "error" not in reply:
        return None
    error = reply["error"]
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and code in _CODES else 0


def harmless(value: object) -> str | None:
    """A value that somebody else invented, as text, if it may be recorded."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = str(value)
    return text if _HARMLESS.fullmatch(text) else None


def id_text(request_id: object) -> str:
    """An id as it stands in a frame: JSON's 1, 1.0 and true are equal in Python, and NaN is equal to nothing."""
    if type(request_id) is int:
        return str(request_id)  # as JSON has it, and much sooner
    try:
        return json.dumps(request_id)
    except (ValueError, RecursionError):
        return ""


def identifier(value: object) -> str | None:
    """A session's id, if it is one that may be recorded: the server's own are UUIDs."""
    return value if isinstance(value, str) and _HARMLESS.fullmatch(value) else None


def _decoded(text: str) -> Any:
    """As `json.loads`, but without its search for blanks where there is nothing around an object."""
    if text[:1] == "{":
        value, end = _value_at_start(text)
        if end == len(text):
            return value
    return json.loads(text)


def _command(message: object) -> str | None:
    if not isinstance(message, str):
        return None
    start = message[:64].lstrip()
    return start.split(maxsplit=1)[0].lower() if start.startswith("/") else None
