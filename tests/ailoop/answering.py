"""One HTTP connection to the scripted provider: plain, or CONNECT and TLS as a proxy's client makes it."""

from __future__ import annotations

import contextlib
import io
import json
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

from .behaviours import Behaviour
from .served import Served
from .steps import Bill, Close, End, Event, Headers, Hold, Raw, Refuse, Step, Wait

KEEPALIVE = b": OPENROUTER PROCESSING\n\n"


class Desk(Protocol):
    """What a connection needs of the provider it belongs to."""

    tls: ssl.SSLContext
    stopped: threading.Event

    def admit(self, request: dict[str, Any], headers: dict[str, str], secure: bool) -> Served:
        """Record a request and choose its behaviour."""

    def control(self, path: str, body: Any) -> Any:
        """Answer a control request, or raise KeyError where there is none."""


class Connection(BaseHTTPRequestHandler):
    """The handler of one connection; a thread of its own runs it."""

    protocol_version = "HTTP/1.1"
    # A chunk must leave at once, or the client's clock measures Nagle's algorithm.
    disable_nagle_algorithm = True
    desk: Desk
    secure = False

    def log_message(self, *args: object) -> None:
        """Stay quiet: the records tell what was served."""

    def do_CONNECT(self) -> None:
        """Become the host that the client wants a tunnel to."""
        self.send_response(200, "Connection established")
        self.end_headers()
        self.connection = self.desk.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = _Writer(self.connection)
        self.secure = True
        self.close_connection = False

    def do_GET(self) -> None:
        """Answer a control question."""
        self._control(None)

    def do_POST(self) -> None:
        """Answer a completion or a control request."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")
        if self.path.endswith("/chat/completions"):
            if body is not None:  # it is where the server was killed before it had sent it
                self._complete(body)
        else:
            self._control(body)

    def handle(self) -> None:
        """Serve until the client leaves, however it leaves."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            super().handle()

    def finish(self) -> None:
        """Close the TLS socket too: the server knows only the plain one it wraps."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        if self.secure:
            self.connection.close()

    def _control(self, body: Any) -> None:
        try:
            status, answer = 200, self.desk.control(self.path, body)
        except (KeyError, ValueError) as wrong:
            status, answer = 404, {"error": {"message": str(wrong)}}
        self._json(status, answer)

    def _json(self, status: int, answer: Any) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _complete(self, body: dict[str, Any]) -> None:
        try:
            headers = {key.lower(): value for key, value in self.headers.items()}
            served = self.desk.admit(body, headers, self.secure)
        except ValueError as wrong:
            self._json(400, {"error": {"code": 400, "message": str(wrong)}})
            return
        stream = _Stream(self, served, served.behaviour)
        try:
            for step in served.behaviour.steps():
                stream.take(step)
                if served.outcome != "open":
                    break
            stream.end()
        except (OSError, ssl.SSLError):
            served.outcome = "gone"
            self.close_connection = True
        served.ended = time.perf_counter()


class _Stream:
    """The answer to one request, step by step."""

    def __init__(self, connection: Connection, served: Served, behaviour: Behaviour) -> None:
        self._connection = connection
        self._served = served
        self._behaviour = behaviour
        self._steps: dict[type, Callable[[Any], object]] = {
            Headers: self._headers,
            Wait: lambda step: self._silence(step.seconds, self._connection.desk.stopped),
            Hold: lambda step: self._silence(None, self._served.released),
            Event: self._event,
            Bill: lambda step: self._bill(step.usage),
            End: self._finish,
            Raw: lambda step: self._write(step.text.encode()),
            Refuse: self._refuse,
            Close: self._close,
        }

    def take(self, step: Step) -> None:
        """Do one step."""
        self._steps[type(step)](step)

    def end(self) -> None:
        """Close the body of a stream that is whole."""
        if self._served.outcome == "open":
            self._connection.wfile.write(b"0\r\n\r\n")
            self._served.outcome = "done"

    def _headers(self, step: Headers) -> None:
        if self._served.status is not None:
            return
        self._served.status = 200
        self._connection.send_response(200)
        self._connection.send_header("Content-Type", "text/event-stream")
        self._connection.send_header("Transfer-Encoding", "chunked")
        self._connection.end_headers()

    def _refuse(self, step: Refuse) -> None:
        self._served.status = step.status
        self._connection._json(step.status, step.body)
        self._served.outcome = "done"

    def _close(self, step: Close) -> None:
        self._connection.close_connection = True
        self._served.outcome = "closed"

    def _silence(self, seconds: float | None, until: threading.Event) -> None:
        """Wait, with keep-alive comments if the behaviour sends them and the headers are out."""
        beat = self._behaviour.keepalive if self._served.status == 200 else 0
        deadline = None if seconds is None else time.perf_counter() + seconds
        while not until.is_set():
            left = None if deadline is None else deadline - time.perf_counter()
            if left is not None and left <= 0:
                return
            until.wait(min(beat or 3600, 3600 if left is None else left))
            if beat and not until.is_set():
                self._write(KEEPALIVE)

    def _event(self, step: Event) -> None:
        choice = {"index": 0, "delta": step.delta, "finish_reason": step.finish}
        written = self._data([choice], step.extra)
        if step.delta.get("content") or step.delta.get("reasoning"):
            self._served.chunks.append(written)
        self._served.outputs += any(step.delta.get(key) for key in ("content", "reasoning", "tool_calls"))
        if step.usage:
            asked = sum(len(str(each.get("content"))) for each in self._served.messages) // 4
            said = len(self._served.chunks)
            usage = {
                "prompt_tokens": asked,
                "prompt_tokens_details": {"cached_tokens": asked // 2},
                "completion_tokens": said,
                "completion_tokens_details": {"reasoning_tokens": said // 2},
                "total_tokens": asked + said,
                "cost": (2 * asked + 10 * said) / 1_000_000,
            }
            self._bill(usage)
        if step.finish and step.last:
            self._finish()

    def _bill(self, usage: dict[str, Any]) -> None:
        self._served.usage = usage
        self._data([], {"usage": usage})

    def _finish(self, step: End | None = None) -> None:
        self._write(b"data: [DONE]\n\n")
        self.end()

    def _data(self, choices: list[dict[str, Any]], extra: dict[str, Any]) -> float:
        chunk = {
            "id": f"gen-{self._served.id or self._served.number}",
            "provider": "Scripted",
            "model": self._served.request.get("model"),
            "object": "chat.completion.chunk",
            "created": int(self._served.wall),
            "choices": choices,
            **extra,
        }
        self._served.lines += 1
        return self._write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    def _write(self, data: bytes) -> float:
        """Write one HTTP chunk and return the moment before, so that no reader can have seen it earlier."""
        now = time.perf_counter()
        self._connection.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        return now


class _Writer(io.BufferedIOBase):
    """An unbuffered write side for a socket that took the place of the handler's own."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection

    def write(self, data: Any) -> int:
        """Send it all."""
        self._connection.sendall(data)
        return len(data)
