"""What `ailoop-otel traces` shows: exchanges, where their time went, sessions and AI timeouts, read from spans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from ailoop_otel import names
from ailoop_otel.recorded.records import Span
from ailoop_otel.view import units
from ailoop_otel.view.options import OPEN
from ailoop_otel.view.usage import Usage, usage_of

OK: Final = "ok"
# What became of an open exchange whose server has ended.
LOST: Final = "lost"
_ENDED_BY_CLIENT: Final = ("disconnected", "cancelled")

MODEL: Final = "model"
TOOLS: Final = "tools"
SERVER: Final = "server"
LAG: Final = "lag"
# Shorter times are not shown.
_SHORTEST_SHOWN: Final = 0.0005  # seconds
NOTHING_USED: Final = Usage()
_PARTS: Final = (names.TIME_MODEL_WAIT, names.TIME_MODEL_STREAM, names.TIME_TOOLS, names.TIME_SERVER)


@dataclass(frozen=True, slots=True)
class TimeBreakdown:
    """Where the time of one exchange went, in seconds.

    The event loop's `lag` is contained in the other four; `blocked_by` is empty if nothing blocked the event loop.
    """

    wait: float
    stream: float
    tools: float
    server: float
    lag: float
    blocked_by: str
    blocked: float

    @property
    def largest(self) -> str:
        """The part that took most of the time; empty if every part is too short to be shown.

        It is the event loop's lag if that is at least half of the time and no tool is the largest part: a tool of the
        server's own that blocks the event loop causes the lag itself.
        """
        shares = {MODEL: self.wait + self.stream, TOOLS: self.tools, SERVER: self.server}
        largest = max(shares, key=lambda part: shares[part])
        if largest != TOOLS and self.lag >= max(_SHORTEST_SHOWN, sum(shares.values()) / 2):
            return LAG
        return largest if shares[largest] >= _SHORTEST_SHOWN else ""

    def words(self) -> Iterator[str]:
        """The parts that are long enough to be shown, each with its duration."""
        parts = ((self.wait, "waiting"), (self.stream, "streaming"))
        model = " + ".join(f"{units.duration(seconds)} {word}" for seconds, word in parts if seconds >= _SHORTEST_SHOWN)
        if model:
            yield f"model {model}"
        for label, seconds in (("tools", self.tools), ("server", self.server), ("loop late", self.lag)):
            if seconds >= _SHORTEST_SHOWN:
                yield f"{label} {units.duration(seconds)}"
        if self.blocked_by:
            yield f"frozen {units.duration(self.blocked)} by {self.blocked_by}"


def time_breakdown(span: Span) -> TimeBreakdown | None:
    """Read the breakdown from the root span of an exchange; None if the hooks inside the server recorded none."""
    if not any(name in span.attributes for name in _PARTS):
        return None
    wait, stream, tools, server = (max(0.0, span.number(name) or 0.0) for name in _PARTS)
    lag, blocked = (max(0.0, span.number(name) or 0.0) for name in (names.TIME_LOOP_LAG, names.BLOCKED_TIME))
    return TimeBreakdown(wait, stream, tools, server, lag, span.text(names.BLOCKED_BY), blocked)


@dataclass(slots=True)
class Exchange:
    """One message and its answer; times in nanoseconds since 1970, `first_chunk` and `max_gap` in seconds.

    It is `open` as long as only child spans were read; `span_id` is that of the root span, empty while unknown.
    `lost` is when its server ended before it did, nanoseconds since 1970, else 0.
    `mostly` is what took most of its time, empty if the hooks inside the server recorded no breakdown.
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
        if self.timeouts or (self.failed and self.outcome not in _ENDED_BY_CLIENT):
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
        self.start, self.end = span.start, span.end
        self.session_id = span.text(names.SESSION_ID) or self.session_id
        self.outcome = span.outcome
        self.error_type = span.text(names.ERROR_TYPE)
        self.recovered = self.recovered or span.flag(names.TIMEOUT_RECOVERED)
        breakdown = time_breakdown(span)
        self.usage = usage_of(span)
        self.mostly = breakdown.largest if breakdown else ""
        first_chunk = span.number(names.TIME_TO_FIRST_CHUNK)
        self.first_chunk = self.first_chunk if first_chunk is None else first_chunk
        self._add_stream(span)

    def _add_stream(self, span: Span) -> None:
        chunks, gap = span.number(names.STREAM_CHUNKS), span.number(names.STREAM_MAX_GAP)
        self.chunks = self.chunks if chunks is None else chunks
        self.max_gap = self.max_gap if gap is None else gap


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
