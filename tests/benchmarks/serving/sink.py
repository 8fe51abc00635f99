"""A backend that takes whatever telemetry comes over HTTP and says how much that was; a process of its own.

with sink() as backend:
    backend.url            where to send to; a path put behind it comes back in `taken`
    backend.taken("name")  bytes that came to paths that hold this
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.benchmarks.environments import ROOT, plain_variables

_TAKEN = "/taken"


class _Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    taken: Counter[str] = Counter()

    def do_POST(self) -> None:
        """Take it."""
        body = self._body()
        self.taken[self.path] += len(body)
        self._answer({})

    do_PUT = do_POST

    def do_GET(self) -> None:
        """Say what was taken; else what an agent of Datadog's says of itself."""
        self._answer(self.taken if self.path == _TAKEN else {"endpoints": ["/v0.4/traces", "/v0.5/traces"]})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, said: Any) -> None:
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Sink:
    """One that runs."""

    url: str

    def taken(self, part: str) -> int:
        """Bytes that came so far to paths that hold `part`."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + _TAKEN, timeout=10) as answer:
            taken: dict[str, int] = json.load(answer)
        return sum(size for path, size in taken.items() if part in path)


@contextmanager
def sink() -> Iterator[Sink]:
    """Run one while the context lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], cwd=ROOT, env=plain_variables(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield Sink(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def main() -> None:
    """Serve until it is ended."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taking)
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
