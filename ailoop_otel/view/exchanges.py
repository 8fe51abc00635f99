"""What `ailoop-otel traces` shows, read from spans: exchanges, where their time went, sessions, timeouts, totals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ailoop_otel import names, units
from ailoop_otel.recorded.records import Span
from ailoop_otel.view.options import OPEN
from ailoop_otel.view.usage import Usage, usage_of

OK: Final = "ok"
ENDED_BY_CLIENT: Final = ("disconnected", "cancelled")

MODEL: Final = "model"
TOOLS: Final = "tools"
SERVER: Final = "server"
LAG: Final = "lag"
# Shorter times are not shown.
_SHORTEST_SHOWN: Final = 0.0005  # seconds
NOTHING_USED: Final = Usage()
_PARTS: Final = {
    MODEL: (names.TIME_MODEL_WAIT, names.TIME_MODEL_STREAM), TOOLS: (names.TIME_TOOLS,), SERVER: (names.TIME_SERVER,)
}  # fmt: skip
# Neighbouring bins differ by 0.1 %, so that the three digits that are shown are right.
_STEP: Final = math.log(1.001)
_SMALLEST: Final = 1e-9


def mostly(span: Span) -> str:
    """What took most of an exchange's time, by its root span; empty if that has no breakdown, or every part is short.

    It is the event loop's lag if that is at least half of the time and no tool is the largest part: a tool of the
    server's own that blocks the event loop causes the lag itself.
    """
    shares = {part: sum(span.number(name) or 0.0 for name in parts) for part, parts in _PARTS.items()}
    largest = max(shares, key=lambda part: shares[part])
    lag = span.number(names.TIME_LOOP_LAG) or 0.0
    if _has_breakdown(span) and largest != TOOLS and lag >= max(_SHORTEST_SHOWN, sum(shares.values()) / 2):
        return LAG
    return largest if shares[largest] >= _SHORTEST_SHOWN else ""


def time_breakdown(span: Span) -> Iterator[str]:
    """Where an exchange's time went, by its root span: each part that is long enough to be shown, with its duration."""
    if not _has_breakdown(span):
        return

    def shown(label: str, name: str) -> Iterator[str]:
        if (seconds := span.number(name) or 0.0) >= _SHORTEST_SHOWN:
            yield label.format(units.duration(seconds))

    model = [*shown("{} waiting", names.TIME_MODEL_WAIT), *shown("{} streaming", names.TIME_MODEL_STREAM)]
    if model:
        yield f"model {' + '.join(model)}"
    yield from shown("tools {}", names.TIME_TOOLS)
    yield from shown("server {}", names.TIME_SERVER)
    yield from shown("loop late {}", names.TIME_LOOP_LAG)
    if blocked_by := span.text(names.BLOCKED_BY):
        yield f"frozen {units.duration(span.number(names.BLOCKED_TIME) or 0.0)} by {blocked_by}"


def _has_breakdown(span: Span) -> bool:
    """Whether the hooks inside the server have recorded one."""
    return any(name in span.attributes for parts in _PARTS.values() for name in parts)


@dataclass(slots=True)
class Exchange:
    """One message and its answer; times in nanoseconds since 1970, `first_chunk` and `max_gap` in seconds.

    It is `open` as long as only child spans were read; `span_id` is that of the root span, empty while unknown.
    `lost` is when its server ended before it did, nanoseconds since 1970, else 0.
    `heard` is the latest that its AI was heard of in the spans below the root, nanoseconds since 1970.
    `mostly` is what took most of its time, empty if the hooks inside the server recorded no breakdown.
    """

    trace_id: str
    span_id: str
    session_id: str
    start: int
    end: int
    outcome: str = OPEN
    heard: int = 0
    error_type: str = ""
    first_chunk: float | None = None
    chunks: float | None = None
    max_gap: float | None = None
    recovered: bool = False
    timeouts: int = 0
    mostly: str = ""
    usage: Usage = NOTHING_USED
    agent: str = ""
    model: str = ""
    process: str = ""
    lost: int = 0

    @property
    def open(self) -> bool:
        """Whether its root span is missing: the exchange still runs, or its server was killed."""
        return self.outcome == OPEN

    @property
    def failed(self) -> bool:
        """Whether its outcome is not ok, or it is open and had an AI timeout or lost its server."""
        return self.timeouts > 0 or self.lost > 0 if self.open else self.outcome != OK

    @property
    def severity(self) -> int:
        """The rank for choosing which to draw: 2 for failures and timeouts, 1 if the client ended it, 0 if ok."""
        if self.timeouts or (self.failed and self.outcome not in ENDED_BY_CLIENT):
            return 2
        return int(self.failed)

    @property
    def seconds(self) -> float:
        """The duration in seconds, as far as it is known."""
        return max(0, self.end - self.start) / 1e9

    def add_child(self, span: Span) -> None:
        """Add what a span below the root holds; values from the root span take precedence."""
        if self.open:
            self.start, self.end = min(self.start, span.start), max(self.end, span.end)
            self.heard = max(self.heard, _last_sign(span))
            self.session_id = self.session_id or span.text(names.SESSION_ID)
        if span.name == names.SPAN_FIRST_CHUNK and self.first_chunk is None:
            self.first_chunk = span.seconds
        if span.name == names.SPAN_STREAM:
            self._add_stream(span)

    def add_timeout(self, span: Span) -> Timeout:
        """Add a span of an AI timeout."""
        self.timeouts += 1
        self.recovered = self.recovered or span.flag(names.TIMEOUT_RECOVERED)
        self.add_child(span)
        return Timeout(
            exchange=self,
            phase=span.text(names.TIMEOUT_PHASE),
            noticed=span.end,
            deadline=span.number(names.TIMEOUT_DEADLINE),
            delay=span.number(names.TIMEOUT_DETECTION_DELAY),
            waiting_for=span.text(names.TIMEOUT_WAITING_FOR),
        )

    def finish(self, span: Span) -> None:
        """Add the root span, which is exported when the exchange has ended."""
        self.start, self.end, self.heard = span.start, span.end, span.end
        self.session_id = span.text(names.SESSION_ID) or self.session_id
        self.outcome = span.outcome
        self.error_type = span.text(names.ERROR_TYPE)
        self.recovered = self.recovered or span.flag(names.TIMEOUT_RECOVERED)
        self.usage = usage_of(span)
        self.mostly = mostly(span)
        first_chunk = span.number(names.TIME_TO_FIRST_CHUNK)
        self.first_chunk = self.first_chunk if first_chunk is None else first_chunk
        self._add_stream(span)

    def _add_stream(self, span: Span) -> None:
        chunks, gap = span.number(names.STREAM_CHUNKS), span.number(names.STREAM_MAX_GAP)
        self.chunks = self.chunks if chunks is None else chunks
        self.max_gap = self.max_gap if gap is None else gap


def _last_sign(span: Span) -> int:
    """When the AI was last heard of by a span below the root, nanoseconds since 1970."""
    # A timeout begins with the silence and ends when that was noticed; one of the whole answer need not be silent.
    silent = span.name == names.SPAN_AI_TIMEOUT and span.text(names.TIMEOUT_PHASE) != "total"
    return span.start if silent else span.end


@dataclass(slots=True)
class Timeout:
    """An AI timeout; `noticed` in nanoseconds since 1970, `deadline` and `delay` (of detection) in seconds."""

    exchange: Exchange
    phase: str
    noticed: int
    deadline: float | None
    delay: float | None
    waiting_for: str

    @property
    def ending(self) -> str:
        """How its exchange ended: `open`, `recovered`, or the exchange's outcome."""
        return "recovered" if self.exchange.recovered else self.exchange.outcome


@dataclass(slots=True)
class Session:
    """One session; `started`, `ended` and `seen` (its last span) in nanoseconds since 1970, 0 if unknown.

    `lost` is when its server ended, where the session's own end is unknown.
    """

    session_id: str
    trace_id: str
    started: int
    seen: int
    resumed: bool = False
    ended: int = 0
    end_reason: str = ""
    turns: int = 0
    errors: int = 0
    usage: Usage = NOTHING_USED
    process: str = ""
    lost: int = 0

    @property
    def seconds(self) -> float:
        """The duration in seconds until its end, or until its last span; 0 if its start is unknown."""
        return max(0, (self.ended or self.lost or self.seen) - self.started) / 1e9 if self.started else 0.0

    def finish(self, span: Span) -> None:
        """Add the span over the whole session, which is exported at its end."""
        self.started, self.ended, self.seen = span.start, span.end, span.end
        self.end_reason = span.text(names.SESSION_END_REASON)
        self.resumed = self.resumed or span.flag(names.SESSION_RESUMED)
        used = usage_of(span)
        self.usage = self.usage if used == NOTHING_USED else used
        turns, errors = span.number(names.SESSION_TURNS), span.number(names.SESSION_ERRORS)
        self.turns = self.turns if turns is None else int(turns)
        self.errors = self.errors if errors is None else int(errors)


Entry: TypeAlias = "Exchange | Session | Timeout"


class DurationHistogram:
    """Count, percentiles and maximum of durations in seconds; its memory grows with their range, not their number."""

    __slots__ = ("_bins", "count", "largest", "smallest")

    def __init__(self) -> None:
        self.count = 0
        self.largest = 0.0
        self.smallest = math.inf
        self._bins: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Add one duration."""
        self.count += 1
        self.largest = max(self.largest, seconds)
        self.smallest = min(self.smallest, seconds)
        self._bins[math.floor(math.log(max(seconds, _SMALLEST)) / _STEP)] += 1

    def percentile(self, share: float) -> float:
        """The nearest-rank percentile in seconds; `share` is from 0 to 1. 0 if no duration was added."""
        rank = max(1, math.ceil(share * self.count))
        for bin_, count in sorted(self._bins.items()):
            rank -= count
            if rank <= 0:
                return min(max(math.exp((bin_ + 0.5) * _STEP), self.smallest), self.largest)
        return 0.0


@dataclass(slots=True)
class Calls:
    """All calls of one JSON-RPC method that start no exchange."""

    method: str
    errors: int = 0
    durations: DurationHistogram = field(default_factory=DurationHistogram)

    def add(self, span: Span) -> None:
        """Add one call."""
        self.durations.add(span.seconds)
        self.errors += span.error


@dataclass(slots=True)
class Totals:
    """Counts over everything that passes the filters; `first` and `last` in nanoseconds since 1970."""

    spans: int = 0
    first: int = 0
    last: int = 0
    sessions: int = 0
    sessions_ended: int = 0
    timeouts: int = 0
    server_starts: int = 0
    server_stops: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    first_chunks: DurationHistogram = field(default_factory=DurationHistogram)
    durations: DurationHistogram = field(default_factory=DurationHistogram)
    usage: Usage = NOTHING_USED

    def add(self, span: Span) -> None:
        """Count a span and extend the covered time."""
        self.spans += 1
        self.first = min(self.first or span.start, span.start)
        self.last = max(self.last, span.end)

    def add_finished(self, exchange: Exchange) -> None:
        """Count a finished exchange."""
        self.outcomes[exchange.outcome] += 1
        self.durations.add(exchange.seconds)
        self.usage = self.usage.plus(exchange.usage)
        if exchange.first_chunk is not None:
            self.first_chunks.add(exchange.first_chunk)
