"""Telemetry of any size: a recording again and again, each time later and with other ids.

python -m tests.measure.telemetry.multiplied RECORDING DIRECTORY MEGABYTES
"""

from __future__ import annotations

import re
import sys
from hashlib import blake2b
from itertools import count
from pathlib import Path

from ailoop_otel.recorded import files

# As large as the files of the embedded default are, or smaller.
FILE_SIZE = 16_000_000
_PAUSE = 1_000_000_000  # ns between two repetitions
_TIME = re.compile(rb'UnixNano":"(\d+)')
# The first half of a trace's, a span's and a session's id, and times.
_CHANGED = re.compile(
    rb'(?<=traceId":")[0-9a-f]{8}|(?<=spanId":")[0-9a-f]{8}|(?<=parentSpanId":")[0-9a-f]{8}'
    rb'|(?<="session\.id","value":\{"stringValue":")[0-9a-f]{8}|(?<=UnixNano":")\d{19}'
)


def multiply(recording: Path, directory: Path, size: int) -> int:
    """Write at least `size` bytes into a directory, and return how often the recording is in it."""
    directory.mkdir(parents=True, exist_ok=True)
    sources = [(path.name.split("-")[0], path.read_bytes()) for path in files.find(recording)]
    times = [int(time) for _, content in sources for time in _TIME.findall(content)]
    lasted = max(times) - min(times) + _PAUSE
    parts = [(kind, _CHANGED.split(content), _CHANGED.findall(content)) for kind, content in sources]
    written, place = 0, dict.fromkeys((kind for kind, _ in sources), 1)
    for number in count():
        if written >= size:
            return number
        changed: dict[bytes, bytes] = {}
        for kind, kept, marks in parts:
            for mark in set(marks) - changed.keys():
                changed[mark] = _later(mark, number * lasted) if len(mark) > 8 else _other(mark, number)
            content = b"".join(piece + changed.get(mark, b"") for piece, mark in zip(kept, [*marks, b""], strict=True))
            path = directory / f"{kind}-20260101T000000Z-1-{place[kind]}.jsonl"
            with path.open("ab") as file:
                file.write(content)
                place[kind] += file.tell() > FILE_SIZE
            written += len(content)


def _later(time: bytes, by: int) -> bytes:
    return b"%d" % (int(time) + by)


def _other(digits: bytes, number: int) -> bytes:
    return blake2b(b"%s %d" % (digits, number), digest_size=4).hexdigest().encode()


if __name__ == "__main__":
    multiply(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) * 1_000_000)
