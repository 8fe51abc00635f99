"""A scripted AI provider: OpenRouter's streaming HTTP on loopback, in a thread or as a process of its own.

    with Provider() as provider:
        provider.environment()        variables for the real server: it comes here as to its proxy, over TLS
        provider.plain_environment()  variables for the stand-in: it comes here by plain HTTP
        provider.queue("say chunks=5", "stall after=3")  the coming requests' behaviours, before any directive
        provider.wait_for(2)          until two requests have come: their `Served` records
        provider.served               all records, oldest first; provider.find("my-id") for one
        provider.release()            let go of what hangs or stalls; release("my-id") for one

    python -m tests.ailoop.provider [--port N] [--default DIRECTIVE]

prints one JSON line with `url` and both environments, and answers over HTTP what the methods do in a thread:
GET /served, POST /queue ["say chunks=5"], POST /release {"id": "my-id"}, POST /forget.

`directives.py` holds the grammar of directives in chat messages, `behaviours.py` all that can be asked for.
"""

from __future__ import annotations

import argparse
import json
import signal
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Any

import trustme

from .answering import Connection
from .behaviours import Behaviour
from .choice import Choice
from .served import Served
from .verbs import behaviour_of

HOST = "openrouter.ai"
PATH = "/api/v1/chat/completions"
LOOPBACK = "127.0.0.1"


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that die: behaviours and tests kill them on purpose."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Provider:
    """The provider; a context manager that serves while it is entered."""

    def __init__(self, port: int = 0, default: Behaviour | str | None = None) -> None:
        self.choice = Choice(behaviour_of(default) if isinstance(default, str) else default)
        self.served: list[Served] = []
        self.stopped = threading.Event()
        self._changed = threading.Condition()
        self._folder = tempfile.TemporaryDirectory(prefix="provider-")
        self.tls = self._certify()
        handler = type("BoundConnection", (Connection,), {"desk": self})
        self._server = _Server((LOOPBACK, port), handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="provider", daemon=True)

    def __enter__(self) -> Provider:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """The address of the completions, for whoever can be told one."""
        return f"http://{LOOPBACK}:{self.port}{PATH}"

    @property
    def certificate(self) -> Path:
        """The certificate authority to trust, as a PEM file."""
        return Path(self._folder.name) / "ca.pem"

    def environment(self) -> dict[str, str]:
        """Return the variables with which a server that knows only the real address comes here."""
        return {
            "HTTPS_PROXY": f"http://{LOOPBACK}:{self.port}",
            "NO_PROXY": f"{LOOPBACK},localhost",
            "REQUESTS_CA_BUNDLE": str(self.certificate),
            "OPENROUTER_API_KEY": "test",
        }

    def plain_environment(self) -> dict[str, str]:
        """Return the variables with which the stand-in comes here."""
        return {"AILOOP_API_URL": self.url, "OPENROUTER_API_KEY": "test"}

    def queue(self, *behaviours: Behaviour | str) -> None:
        """Answer the coming requests with these, one each, whatever their messages say."""
        self.choice.queue(*behaviours)

    def release(self, id: str | None = None) -> None:
        """Let go of the requests that hang or stall now: all, or those with an id."""
        for each in list(self.served):
            if id is None or each.id == id:
                each.released.set()

    def forget(self) -> None:
        """Release everything, drop the queue and the records."""
        self.release()
        self.choice.clear()
        self.served.clear()

    def find(self, id: str) -> Served:
        """Return the latest record with an id, or raise LookupError."""
        for each in reversed(self.served):
            if each.id == id:
                return each
        raise LookupError(f"no request with the id {id}")

    def wait_for(self, count: int, timeout: float = 60.0) -> list[Served]:
        """Return the records once there are so many, or raise TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.served) >= count, timeout):
                raise TimeoutError(f"{len(self.served)} of {count} requests came in {timeout} s")
        return self.served

    def admit(self, request: dict[str, Any], headers: dict[str, str], secure: bool) -> Served:
        """Record a request and choose its behaviour."""
        received, wall = time.perf_counter(), time.time()
        behaviour = self.choice.behaviour(request.get("messages") or [])
        with self._changed:
            served = Served(len(self.served) + 1, behaviour, request, headers, secure, received, wall)
            self.served.append(served)
            self._changed.notify_all()
        return served

    def control(self, path: str, body: Any) -> Any:
        """Answer a control request from another process."""
        if path == "/served":
            return [each.as_json() for each in list(self.served)]
        if path == "/queue":
            return self.queue(*body)
        if path == "/release":
            return self.release((body or {}).get("id"))
        if path == "/forget":
            return self.forget()
        raise KeyError(f"nothing at {path}")

    def _certify(self) -> ssl.SSLContext:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(context)
        return context


def main() -> None:
    """Serve until a signal comes."""
    options = argparse.ArgumentParser(description="A scripted AI provider on loopback.")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--default", metavar="DIRECTIVE", help="the answer to a message without one")
    chosen = options.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Provider(chosen.port, chosen.default) as provider:
        about = {
            "url": provider.url,
            "environment": provider.environment(),
            "plain_environment": provider.plain_environment(),
        }
        sys.stdout.write(json.dumps(about) + "\n")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()
