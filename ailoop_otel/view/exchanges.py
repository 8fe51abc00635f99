"""What a person looks for in the spans: exchanges, sessions, AI timeouts and other calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ailoop_otel import names
from ailoop_otel.recorded.records import Span
from ailoop_otel.view.filters import OPEN
from ailoop_otel.view.spent import spent
from ailoop_otel.view.spread import Spread

OK: Final = "ok"
_BY_CLIENT: Final = ("disconnected", "cancelled")


@dataclass(slots=True)
class Exchange:
    """One message and its answer; times in nanoseconds since 1970, `first_chunk` and `max_gap` in seconds.

    It is `open` as long as only spans below its root have come; `span_id` is the root's, empty while unknown.
    `mostly` is what took most of its time, empty where the server's inside was not seen.
    """

    trace_id: str
    span_id: str
    session_id: str
    start: int
    end: int
    outcome: str = OPEN
    error_type: str = ""
    first_chunk: float | None = None
    chunks: float | None = None
    max_gap: float | None = None
    recovered: bool = False
    timeouts: int = 0
    mostly: str = ""

    @property
    def open(self) -> bool:
        """Whether its end is not in the files."""
        return self.outcome == OPEN

    @property
    def failed(self) -> bool:
        """Whether it did not end well, or hangs."""
        return self.timeouts > 0 if self.open else self.outcome != OK

    @property
    def badness(self) -> int:
        """How much it is worth a look: the AI or the server failed or was silent, then what a client ended."""
        if self.timeouts or (self.failed and self.outcome not in _BY_CLIENT):
            return 2
        return int(self.failed)

    @property
    def seconds(self) -> float:
        """How long it took, or as far as is known."""
        return max(0, self.end - self.start) / 1e9

    def see(self, span: Span) -> None:
        """Take in what a span below the root tells; a finished root knows better."""
        if self.open:
            self.start, self.end = min(self.start, span.start), max(self.end, span.end)
            self.session_id = self.session_id or span.text(names.SESSION_ID)
        if span.name == names.SPAN_FIRST_CHUNK and self.first_chunk is None:
            self.first_chunk = span.seconds
        if span.name == names.SPAN_STREAM:
            self._stream(span)

    def finish(self, span: Span) -> None:
        """Take in the root."""
        self.start, self.end = span.start, span.end
        self.session_id = span.text(names.SESSION_ID) or self.session_id
        self.outcome = span.text(names.OUTCOME)
        self.error_type = span.text(names.ERROR_TYPE)
        self.recovered = self.recovered or span.flag(names.TIMEOUT_RECOVERED)
        told = spent(span)
        self.mostly = told.culprit if told else ""
        first_chunk = span.number(names.TIME_TO_FIRST_CHUNK)
        self.first_chunk = self.first_chunk if first_chunk is None else first_chunk
        self._stream(span)

    def _stream(self, span: Span) -> None:
        chunks, gap = span.number(names.STREAM_CHUNKS), span.number(names.STREAM_MAX_GAP)
        self.chunks = self.chunks if chunks is None else chunks
        self.max_gap = self.max_gap if gap is None else gap


@dataclass(slots=True)
class Timeout:
    """An AI silent for too long; `noticed` in nanoseconds since 1970, `deadline` and `delay` in seconds."""

    exchange: Exchange
    phase: str
    noticed: int
    deadline: float | None
    delay: float | None
    waiting_for: str

    @property
    def ending(self) -> str:
        """What became of it: `open`, `recovered`, or the exchange's outcome."""
        return "recovered" if self.exchange.recovered else self.exchange.outcome


@dataclass(slots=True)
class Session:
    """A session's life; `started`, `ended` and `seen` in nanoseconds since 1970, 0 when unknown."""

    session_id: str
    trace_id: str
    started: int
    seen: int
    resumed: bool = False
    ended: int = 0
    end_reason: str = ""
    turns: int = 0
    errors: int = 0

    @property
    def seconds(self) -> float:
        """How long it lasted, or until it was last heard of."""
        return max(0, (self.ended or self.seen) - self.started) / 1e9 if self.started else 0.0

    def finish(self, span: Span) -> None:
        """Take in the span over the whole life."""
        self.started, self.ended, self.seen = span.start, span.end, span.end
        self.end_reason = span.text(names.SESSION_END_REASON)
        self.resumed = self.resumed or span.flag(names.SESSION_RESUMED)
        turns, errors = span.number(names.SESSION_TURNS), span.number(names.SESSION_ERRORS)
        self.turns = self.turns if turns is None else int(turns)
        self.errors = self.errors if errors is None else int(errors)


@dataclass(slots=True)
class Calls:
    """All calls of one method that are no exchange."""

    method: str
    errors: int = 0
    durations: Spread = field(default_factory=Spread)

    def add(self, span: Span) -> None:
        """Count one call."""
        self.durations.add(span.seconds)
        self.errors += span.error


Told: TypeAlias = "Exchange | Session | Timeout"


def timeout(span: Span, exchange: Exchange) -> Timeout:
    """Read the span that tells of an AI timeout."""
    exchange.timeouts += 1
    exchange.recovered = exchange.recovered or span.flag(names.TIMEOUT_RECOVERED)
    return Timeout(
        exchange=exchange,
        phase=span.text(names.TIMEOUT_PHASE),
        noticed=span.end,
        deadline=span.number(names.TIMEOUT_DEADLINE),
        delay=span.number(names.TIMEOUT_DETECTION_DELAY),
        waiting_for=span.text(names.TIMEOUT_WAITING_FOR),
    )
