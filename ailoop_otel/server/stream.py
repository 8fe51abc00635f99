"""A model's stream: the lines of server-sent events as OpenRouter sends them, and what is known from them.

Format: https://openrouter.ai/docs/api-reference/streaming
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

DATA: Final = b"data: "
# The first byte of a data line, and of no other field, and the last one of a line that holds a whole JSON object. To
# look at a byte costs a fifth of `startswith`.
FIELD: Final = DATA[0]
CLOSED: Final = ord("}")
_DONE: Final = b"data: [DONE]"
_MOST_TOKENS: Final = 2**53


class ModelStream:
    """Counts the lines of one stream and reads some of them. Times are of the clock `now`, nanoseconds; 0 is never.

    Only the first lines and the last few are read as JSON. From the first output on, `flows` is True, and a line costs
    a look at its two ends: the reader of the lines counts such a line by itself, as a call for each would cost more,
    and hands over at the end what it counted (`add`).
    """

    __slots__ = ("chunks", "done", "first", "flows", "garbage", "latest", "now", "size", "summary", "tail")

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.first = self.latest = 0
        self.chunks = 0
        self.size = 0  # bytes, line ends included
        self.flows = self.done = self.garbage = False
        self.tail: deque[bytes] = deque(maxlen=3)
        self.summary = Summary()

    def line(self, line: bytes) -> None:
        """Count a line that is not empty."""
        self.size += len(line) + 1
        if is_data(line):
            self.latest = self.now()
            self.chunks += 1
            self.tail.append(line)
            if not self.first:
                self._look_for_output(line)
            elif line[-1] != CLOSED:
                self.garbage = True
        elif line.startswith(_DONE):
            self.done = True

    def add(self, chunks: int, size: int, latest: int) -> None:
        """Add data lines that were counted elsewhere: `size` in bytes without line ends, the last one at `latest`."""
        self.chunks += chunks
        self.size += size + chunks
        self.latest = max(self.latest, latest)

    def end(self) -> None:
        """Read the last lines: no more will come."""
        for line in self.tail:
            chunk = read(line)
            if chunk is None:
                self.garbage = True
            else:
                self.summary.take(chunk)

    def _look_for_output(self, line: bytes) -> None:
        chunk = read(line)
        if chunk is None:
            self.garbage = True
        elif has_output(chunk):
            self.first = self.latest
            self.flows = True
            self.summary.take(chunk)


def is_data(line: bytes) -> bool:
    """Whether a line carries a chunk; a keep-alive comment and the end mark do not."""
    return line.startswith(DATA) and not line.startswith(_DONE)


def read(line: bytes) -> dict[str, Any] | None:
    """The chunk that a data line carries; None where it is no JSON object."""
    try:
        # As text: of bytes the module would guess the encoding first.
        chunk = json.loads(line[len(DATA) :].decode())
    except (ValueError, RecursionError):
        return None
    return chunk if isinstance(chunk, dict) else None


def has_output(chunk: dict[str, Any]) -> bool:
    """Whether a chunk brings text, reasoning or a tool call; the first one often has only a role."""
    added = delta(chunk)
    return any(added.get(key) for key in ("content", "reasoning", "tool_calls"))


def delta(chunk: dict[str, Any]) -> dict[str, Any]:
    """What a chunk adds to the answer."""
    found = _first_choice(chunk).get("delta")
    return found if isinstance(found, dict) else {}


@dataclass
class Summary:
    """The values in a stream's chunks that are about the whole: model, token counts, cost, finish reason, error."""

    model: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    error: str | None = None

    def take(self, chunk: dict[str, Any]) -> None:
        """Take over the values of a chunk; of each value the latest counts."""
        self.model = _text(chunk.get("model")) or self.model
        self.response_id = _text(chunk.get("id")) or self.response_id
        self.finish_reason = _text(_first_choice(chunk).get("finish_reason")) or self.finish_reason
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self.input_tokens = _count(usage.get("prompt_tokens"))
            self.output_tokens = _count(usage.get("completion_tokens"))
            cost = usage.get("cost")
            self.cost = float(cost) if isinstance(cost, (int, float)) and not isinstance(cost, bool) else None
        error = chunk.get("error")
        if error is not None:
            code = error.get("code") if isinstance(error, dict) else None
            self.error = str(code) if isinstance(code, int) else "error"


def _first_choice(chunk: dict[str, Any]) -> dict[str, Any]:
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    # A provider may send anything: a number that no exporter can write is no count.
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
    return value if known else None  # type: ignore[return-value]
