"""A receiver of OTLP/HTTP: a real server on loopback that answers as configured and keeps what it accepted."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = {"Content-Type": "application/json"}
OK = b'{"partialSuccess":{}}'


@dataclass(frozen=True)
class Reply:
    """What is answered; without a status the connection is closed instead of answering."""

    status: int | None = 200
    body: bytes = OK
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


@dataclass(frozen=True)
class Asked:
    """One request, its body unpacked, and the client's port, which identifies the connection."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    port: int

    @property
    def parse(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Receiver:
    """Answers 200, but first what stands in `replies`, one each; `asked` is every request, `taken` each that got 200.

    From request `holds_from` on, counted from 1, nobody is answered before `release`.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.replies: list[Reply] = []
        self.always = Reply()
        self.asked: list[Asked] = []
        self.taken: list[bytes] = []
        self._arrived = threading.Condition()
        self.holds_from: int | None = None
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "http" if tls is None else "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def reply(self, asked: Asked) -> Reply:
        """Keep a request and choose the response."""
        with self._arrived:
            self.asked.append(asked)
            held = self.holds_from is not None and len(self.asked) >= self.holds_from
            self._arrived.notify_all()
        if held:
            self._released.wait(30)
        reply = self.replies.pop(0) if self.replies else self.always
        if reply.status == 200:
            self.taken.append(asked.body)
        return reply

    def wait(self, count: int) -> None:
        """Wait until so many requests have come."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.asked) >= count, 30)

    def release(self) -> None:
        """Answer the requests that are held, and hold none from now on."""
        self.holds_from = None
        self._released.set()

    def close(self) -> None:
        """Stop serving."""
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing for clients that disconnected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Answer an export."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        reply = self.server.receiver.reply(Asked(self.path, dict(self.headers), body, self.client_address[1]))
        if reply.status is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""
