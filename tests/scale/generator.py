"""Recorded traces sent again and again with new ids, at a rate, each to an agent until it is acknowledged."""

from __future__ import annotations

import gzip
import os
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import requests

from tests.scale.recorded import Template, recorded, varint

BATCH = 0.1  # seconds of messages in a request
ROOT_LATER = 1.0  # seconds by which a trace's root span is sent after the others
# Of 1,000 messages; the rest end well.
SHARES: Mapping[str, int] = {"error": 10, "timeout": 5, "slow": 5}
# Of the traces that must be kept for what is in them before the root span comes, one of so many has that sent when it
# has been decided.
LATE_EACH = 50
_RESOURCE, _SCOPE, _REQUEST = 0x0A, 0x12, 0x0A  # fields of bytes: Resource and ScopeSpans in ResourceSpans, this in all
_HEADERS = {"Content-Type": "application/x-protobuf"}


@dataclass
class Made:
    """What was made: each trace's id, its kind and its number of spans; and how it was taken."""

    traces: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    spans: int = 0
    acknowledged: int = 0  # spans, each once
    repeated: int = 0  # requests that were not acknowledged, and sent again
    bytes: int = 0
    late: set[bytes] = field(default_factory=set)

    @property
    def kinds(self) -> Counter[str]:
        """How many traces there are of each kind."""
        return Counter(kind for kind, _ in self.traces.values())


class _Sender(threading.Thread):
    """Sends requests to one agent in their order, each until it is acknowledged."""

    def __init__(self, address: str, made: Made, lock: threading.Lock) -> None:
        super().__init__(daemon=True)
        self._address = f"{address}/v1/traces"
        self._made, self._lock = made, lock
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._more = threading.Condition()
        self._ended = False

    def send(self, body: bytes, spans: int) -> None:
        """Put a request at the end."""
        with self._more:
            self._waiting.append((body, spans))
            self._more.notify()

    def end(self) -> None:
        """Wait until all is acknowledged."""
        with self._more:
            self._ended = True
            self._more.notify()
        self.join()

    def run(self) -> None:
        """Send until the end."""
        with requests.Session() as session:
            while True:
                with self._more:
                    self._more.wait_for(lambda: self._waiting or self._ended)
                    if not self._waiting:
                        return
                    body, spans = self._waiting.popleft()
                while not self._taken(session, body):
                    with self._lock:
                        self._made.repeated += 1
                    time.sleep(0.2)
                with self._lock:
                    self._made.acknowledged += spans

    def _taken(self, session: requests.Session, body: bytes) -> bool:
        try:
            return session.post(self._address, data=body, headers=_HEADERS, timeout=30).status_code == 200
        except requests.RequestException:
            return False


class Generator:
    """Makes messages at a rate; `made` grows meanwhile.

    `late` is how many seconds later than the others a late root span is sent; there are such while `makes_late`.
    """

    def __init__(self, addresses: Sequence[str], late: float, seed: int = 1) -> None:
        self._resource, templates = recorded()
        self._of_kind: dict[str, list[Template]] = {}
        for template in templates:
            self._of_kind.setdefault(template.kind, []).append(template)
        self._random = random.Random(seed)
        self.made = Made()
        self._lock = threading.Lock()
        self._senders = [_Sender(address, self.made, self._lock) for address in addresses]
        for sender in self._senders:
            sender.start()
        self._roots: deque[tuple[float, int, list[bytes]]] = deque()
        self._later = late
        self._late: deque[tuple[float, int, list[bytes]]] = deque()
        self.makes_late = True
        self._turn = 0
        self._evident = 0
        self._owed = 0.0
        self._largest = b""

    def run(self, rate: float, seconds: float) -> int:
        """Make so many messages a second for so long; returns their number."""
        begun, before = time.monotonic(), len(self.made.traces)
        last = begun
        while (now := time.monotonic()) - begun < seconds:
            self._owed += rate * (now - last)
            last = now
            self._batch(min(int(self._owed), 500))
            self._owed -= min(int(self._owed), 500)
            self._send_roots(self._roots, now)
            self._send_roots(self._late, now)
            time.sleep(max(0.0, BATCH - (time.monotonic() - now)))
        return len(self.made.traces) - before

    def flush(self) -> None:
        """Send the root spans that are left, the late ones when it is their time."""
        self._send_roots(self._roots, float("inf"))
        while self._late:
            time.sleep(BATCH)
            self._send_roots(self._late, time.monotonic())

    def end(self) -> None:
        """Wait until all is acknowledged."""
        for sender in self._senders:
            sender.end()

    def compressed(self) -> float:
        """How large a request is on the wire with gzip, as a part of its bytes."""
        return round(len(gzip.compress(self._largest)) / max(1, len(self._largest)), 4)

    def _batch(self, messages: int) -> None:
        if not messages:
            return
        self._turn = (self._turn + 1) % len(self._senders)
        now = time.time_ns()
        first, roots, spans = [], [], 0
        for _ in range(messages):
            template, trace = self._template(), os.urandom(16)
            children, root = template.made(trace, now)
            self.made.traces[trace] = (template.kind, template.size)
            self.made.spans += template.size
            first.append(children)
            spans += template.size - 1
            if template.evident:
                self._evident += 1
                if self.makes_late and self._evident % LATE_EACH == 0:
                    self._late.append((time.monotonic() + self._later, self._turn, [root]))
                    self.made.late.add(trace)
                    continue
            roots.append(root)
        self._roots.append((time.monotonic() + ROOT_LATER, self._turn, roots))
        self._send(self._turn, first, spans)

    def _template(self) -> Template:
        point = self._random.randrange(1000)
        for kind, share in SHARES.items():
            if point < share:
                return self._random.choice(self._of_kind[kind])
            point -= share
        return self._random.choice(self._of_kind["ok"])

    def _send_roots(self, waiting: deque[tuple[float, int, list[bytes]]], now: float) -> None:
        while waiting and waiting[0][0] <= now:
            _, turn, roots = waiting.popleft()
            self._send(turn, roots, len(roots))

    def _send(self, turn: int, spans: Sequence[bytes], count: int) -> None:
        if not spans:
            return
        body = request(self._resource, spans)
        if len(body) > len(self._largest):
            self._largest = body
        with self._lock:
            self.made.bytes += len(body)
        self._senders[turn].send(body, count)


def request(resource: bytes, spans: Sequence[bytes]) -> bytes:
    """One OTLP export request of a resource's spans."""
    scope = b"".join(spans)
    of_resource = _field(_RESOURCE, resource) + _field(_SCOPE, scope)
    return _field(_REQUEST, of_resource)


def _field(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + varint(len(content)) + content
