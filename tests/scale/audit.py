"""What is in the topic, and in Jaeger, against what was made."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.scale import Chain
from collector.stack import HOST, Program, free, jaeger, url
from tests.export.collector import Collector
from tests.scale.recorded import span_ids

_QUIET = 12.0  # seconds without a span: the topic's end
_LONGEST = 900.0
_AT_ONCE = 6


class _Count(Collector):
    """Counts span ids."""

    def __init__(self) -> None:
        self.ids: set[bytes] = set()
        self.count = 0
        self.newest = time.monotonic()
        self._lock = threading.Lock()
        super().__init__()

    def answer(self, path: str, body: bytes) -> int:
        """Take a request."""
        found = ExportTraceServiceRequest.FromString(body)
        ids = [
            span.span_id
            for resource in found.resource_spans
            if _is_generated(resource.resource.attributes)
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self.ids.update(ids)
            self.count += len(ids)
            self.newest = time.monotonic()
        return 200


def _is_generated(attributes: Iterable[object]) -> bool:
    return any(a.key == "service.name" and a.value.string_value == "ailoop-scale" for a in attributes)  # type: ignore[attr-defined]


def topic(chain: Chain, folder: Path) -> tuple[int, int]:
    """How many of the generator's spans the topic holds, and how many different ones."""
    counted, (health,) = _Count(), free(1)
    variables = {
        "KAFKA_BROKER": f"{HOST}:{chain.port('kafka')}",
        "AUDIT": counted.url,
        "AUDIT_HEALTH": f"{HOST}:{health}",
    }
    command = [str(jaeger()), "--config", str(Path(__file__).parent / "audit.yaml")]
    program = Program("audit", command, f"{url(health)}/status", folder, variables)
    program.start()
    try:
        program.wait()
        begun = counted.newest = time.monotonic()
        # A group's first assignment takes seconds.
        while time.monotonic() - max(counted.newest, begun + 20) < _QUIET and time.monotonic() - begun < _LONGEST:
            time.sleep(0.5)
    finally:
        program.stop()
        counted.close()
    return counted.count, len(counted.ids)


@dataclass
class Stored:
    """What Jaeger has of some traces."""

    whole: int = 0
    absent: int = 0
    spans: int = 0
    twice: int = 0  # spans that are there more than once
    broken: list[str] = field(default_factory=list)


def stored(address: str, traces: dict[bytes, tuple[str, int]]) -> Stored:
    """Ask Jaeger for each trace, and compare the ids of its spans with those that were made."""
    found = Stored()
    session = requests.Session()

    def ask(trace: bytes) -> Counter[str]:
        for attempt in range(5):
            answer = session.get(f"{address}/api/traces/{trace.hex()}", timeout=120)
            if answer.status_code in (200, 404):
                break
            time.sleep(attempt)
        if answer.status_code == 404:
            return Counter()
        answer.raise_for_status()
        return Counter(span["spanID"] for each in answer.json()["data"] for span in each["spans"])

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for (trace, (_, size)), ids in zip(traces.items(), pool.map(ask, traces), strict=True):
            found.spans += len(ids)
            found.twice += ids.total() - len(ids)
            if ids.keys() == span_ids(trace, size):
                found.whole += 1
            elif not ids:
                found.absent += 1
            else:
                found.broken.append(f"{trace.hex()}: {len(ids)} of {size}")
    return found


_OFFSET, _PRIME = 0xCBF29CE484222325, 0x100000001B3


def in_share(trace: bytes, percentage: float, salt: bytes = b"ailoop") -> bool:
    """Whether tail sampling's probabilistic policy keeps a trace: FNV-1a of salt and id, as a part of all numbers.

    https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/tailsamplingprocessor
    """
    value = _OFFSET
    for byte in salt + trace:
        value = ((value ^ byte) * _PRIME) & 0xFFFFFFFFFFFFFFFF
    return value <= int(0xFFFFFFFFFFFFFFFF * (percentage / 100))
