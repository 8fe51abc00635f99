"""JSON-RPC 2.0 frames as AILoop's clients and servers write them. All functions are pure and never raise.

https://www.jsonrpc.org/specification
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

PROTOCOL_ERRORS: Final = frozenset({-32700, -32600, -32601, -32602})
# The codes that JSON-RPC reserves; AILoop uses no others.
_CODES: Final = range(-32768, -31999)
# Keys whose texts describe the frame and are no part of an answer.
_MARKS: Final = frozenset({"type", "kind", "event", "format", "role", "status", "state", "level", "timestamp", "time"})
_DEEPEST: Final = 8
_MOST_ENTRIES: Final = 64
_value_at_start: Final = json.JSONDecoder().raw_decode
# As AILoop writes its notifications; `json.dumps` would make an encoder at each call.
_in_json: Final = json.JSONEncoder(ensure_ascii=False).encode

Json = dict[str, Any]


class Request(NamedTuple):
    """A client's frame. `valid` is False where it is no JSON-RPC 2.0 request; `trace` is its `traceparent`."""

    method: str | None = None
    id: Any = None
    has_id: bool = False
    params: Json = {}
    trace: Any = None
    valid: bool = False


INVALID: Final = Request()


def read_request(text: str) -> Request:
    """Read a client's frame; one that is no JSON object is `INVALID`."""
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
    # Where the Model Context Protocol keeps trace context too: SEP-414.
    meta = params.get("_meta")
    trace = meta.get("traceparent") if isinstance(meta, dict) else None
    # By position: keyword arguments cost twice as much.
    return Request(method if isinstance(method, str) else None, frame.get("id"), "id" in frame, params, trace, known)


def read_frame(text: str) -> Json | None:
    """Read a server's frame; None where it is no JSON object."""
    try:
        frame = _decoded(text)
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None


def is_reply(frame: Json) -> bool:
    """Whether a frame replies to a request; some error replies of AILoop have nothing but `error` and `id`."""
    return "method" not in frame and ("id" in frame or "error" in frame)


def error_code(reply: Json) -> int | None:
    """A reply's error code; 0 where its error has no code that JSON-RPC reserves, None where there is no error.

    A client can make `echo` send any other code back to it, and codes become labels.
    """
    if "error" not in reply:
        return None
    error = reply["error"]
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and code in _CODES else 0


def id_text(request_id: object) -> str:
    """An id as it stands in a frame: JSON's 1, 1.0 and true are equal in Python, and NaN is equal to nothing."""
    if type(request_id) is int:
        return str(request_id)  # the same text, made much sooner
    try:
        return json.dumps(request_id)
    except (ValueError, RecursionError):
        return ""


def carries_text(value: object, depth: int = 0) -> bool:
    """Whether parameters hold a text that could be part of an answer: one that is no id, kind or mark of time."""
    if isinstance(value, str):
        return bool(value)
    if depth > _DEEPEST:
        return True
    if isinstance(value, dict):
        entries = list(value.items())[:_MOST_ENTRIES]
        return any(carries_text(each, depth + 1) for key, each in entries if not _is_mark(key))
    return isinstance(value, list) and any(carries_text(each, depth + 1) for each in value[:_MOST_ENTRIES])


def _is_mark(key: str) -> bool:
    return key.lower().endswith("id") or key in _MARKS


def length_in_json(text: str) -> int:
    """How many characters a text takes within a JSON string, its quotes not counted."""
    return len(_in_json(text)) - 2


def _decoded(text: str) -> Any:
    # As `json.loads`, without its search for blanks where there is nothing around an object.
    if text[:1] == "{":
        value, end = _value_at_start(text)
        if end == len(text):
            return value
    return json.loads(text)
