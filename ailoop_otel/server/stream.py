"""A model's stream: the lines of server-sent events as OpenRouter sends them, and what is known from them.

Format: https://openrouter.ai/docs/api-reference/streaming
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ailoop_otel.names import PROVIDER
from ailoop_otel.protocol.foreign import amount, count, http_error, text
from ailoop_otel.tracking.usage import Usage

DATA: Final = b"data: "
_DONE: Final = b"data: [DONE]"
# The `error.type` of a stream that was not read to its end because of a chunk that is no JSON.
GARBAGE: Final = "JSONDecodeError"
# A text of the answer within a chunk: within a text its quotes would be escaped.
_ANSWER: Final = re.compile(rb'"(?:content|reasoning|arguments)": ?"((?:[^"\\]|\\.)+)"')
_UNFINISHED: Final = re.compile(rb'"finish_reason": ?null')
# An error or token counts that are put into a chunk make it at least so many bytes longer: `"error":0,`.
_SLACK: Final = 10
# How many times of chunks are kept: 80 kB of them, and as much for the numbers.
_MOST_TIMES: Final = 10_000


class Shape(NamedTuple):
    """What is equal in the lines of one stream that bring a piece of the answer and say nothing of the whole.

    Such a line is longer than `shortest` and has the byte `sign` at `place`: in the word `null` of its finish reason,
    where another word has another letter and whatever is added moves it. One from `longest` on may have text added in
    front or behind as well: it has the bytes `other` at `span`, which is on the other side of the answer.
    """

    shortest: int
    longest: int
    place: int
    sign: int
    span: slice
    other: bytes


# No line has it.
_NONE: Final = Shape(1 << 60, 0, 0, 0, slice(0), b"")


class ModelStream:
    """Counts the lines of one stream and reads some of them. Times are of the clock `now`, nanoseconds; 0 is never.

    A line is read as JSON unless it has the `shape` of one that was: the reader of the lines counts such a line by
    itself, as a call for each would cost more, and hands over at the end what it counted (`add`). `outputs` are the
    chunks that bring something of the answer, from the `first` to the `latest`; `times` are theirs, the last 10,000.
    """

    __slots__ = (
        "chunks", "done", "first", "now", "outputs", "shape", "size", "summary", "times", "unread", "unsure",
    )  # fmt: skip

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.first = 0
        self.times: deque[int] = deque(maxlen=_MOST_TIMES)
        self.chunks = self.outputs = 0
        self.unread = 0  # chunks that are no JSON
        self.unsure = False  # the latest line is such a one
        self.size = 0  # bytes, line ends included
        self.done = False
        self.shape = _NONE
        self.summary = Summary()

    @property
    def latest(self) -> int:
        """When the latest chunk of output came."""
        return self.times[-1] if self.times else 0

    def line(self, line: bytes) -> None:
        """Count a line that is not empty, and read it."""
        self.size += len(line) + 1
        self.unsure = False
        if line.startswith(_DONE):
            self.done = True
        elif is_data(line):
            self._take(line, self.now())

    def add(self, outputs: int, size: int, last: bytes) -> None:
        """Add lines of the `shape` that were counted elsewhere: `size` in bytes without line ends, `last` or b"".

        Their `times` are there already.
        """
        self.chunks += outputs
        self.outputs += outputs
        self.size += size + outputs
        self.summary.take(read(last) or {})  # if any line was taken for another one, then not the last

    def failure(self, raised: BaseException) -> str | None:
        """The `error.type` of a stream whose reading was ended by an exception; None where it was read no further."""
        if isinstance(raised, GeneratorExit):
            return GARBAGE if self.unsure else None  # the server gave up because of that line
        return type(raised).__name__

    def _take(self, line: bytes, now: int) -> None:
        self.chunks += 1
        chunk = read(line)
        if chunk is None:
            self.unread += 1
            self.unsure = True
            self.shape = _NONE  # so that the next line is seen here
            return
        self.summary.take(chunk)
        if has_output(chunk):
            self.first = self.first or now
            self.times.append(now)
            self.outputs += 1
            self.shape = _NONE if self.summary.says(chunk) else _shape_of(line)


def is_data(line: bytes) -> bool:
    """Whether a line carries a chunk; a comment, the end mark and an empty line of data do not."""
    return line.startswith(DATA) and not line.startswith(_DONE) and len(line.rstrip()) >= len(DATA)


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
class Summary(Usage):
    """The values in a stream's chunks that are about the whole: model, token counts, cost, finish reason, error.

    Of tokens and cost: https://openrouter.ai/docs/use-cases/usage-accounting
    """

    model: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    error: str | None = None

    @staticmethod
    def says(chunk: dict[str, Any]) -> bool:
        """Whether a chunk says more of the whole than each does: its end, its token counts, an error."""
        end = _first_choice(chunk).get("finish_reason")
        return any(value is not None for value in (end, chunk.get("usage"), chunk.get("error")))

    def take(self, chunk: dict[str, Any]) -> None:
        """Take over the values of a chunk; of each value the latest that can be used counts."""
        self.model = text(chunk.get("model")) or self.model
        self.response_id = text(chunk.get("id")) or self.response_id
        self.finish_reason = text(_first_choice(chunk).get("finish_reason")) or self.finish_reason
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self.input_tokens = _known(count(usage.get("prompt_tokens")), self.input_tokens)
            self.output_tokens = _known(count(usage.get("completion_tokens")), self.output_tokens)
            prompt, completion = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
            if isinstance(prompt, dict):
                self.cache_read = _known(count(prompt.get("cached_tokens")), self.cache_read)
                self.cache_write = _known(count(prompt.get("cache_write_tokens")), self.cache_write)
            if isinstance(completion, dict):
                self.reasoning = _known(count(completion.get("reasoning_tokens")), self.reasoning)
            self.cost = _known(amount(usage.get("cost")), self.cost)
            self.cost_source = None if self.cost is None else PROVIDER
        error = chunk.get("error")
        if error:  # some write an empty one into each chunk
            self.error = http_error(error.get("code") if isinstance(error, dict) else None) or "error"


def _known(found: Any, known: Any) -> Any:
    return known if found is None else found


def _first_choice(chunk: dict[str, Any]) -> dict[str, Any]:
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def _shape_of(line: bytes) -> Shape:
    answer, unfinished = _ANSWER.search(line), _UNFINISHED.search(line)
    if answer is None:
        return _NONE
    start, end = answer.span(1)
    place = end - len(line)  # the quote behind the answer
    span = slice(answer.start(), start)
    if unfinished is not None and unfinished.end() > end:
        place = unfinished.end() - 3 - len(line)
    elif unfinished is not None:
        place, span = unfinished.end() - 3, slice(place, None)
    shortest = len(line) - (end - start)
    # Where a chunk has room for an error or for token counts, or for a call of a tool that another has not, what is
    # added need not make it longer.
    narrow = b'"error"' in line or b'"usage"' in line or not answer[0].startswith(b'"content"')
    slack = 0 if narrow else _SLACK
    return Shape(shortest, shortest + slack, place, line[place], span, line[span])
