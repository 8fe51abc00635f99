"""What a server's own telemetry tells of its messages, sessions and process; spans and points come in any order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ailoop_otel import names
from ailoop_otel.measure.results.observations import OK
from ailoop_otel.recorded.records import Point, Span

# The newest of each are kept: far more than the embedded default's files hold, and bounded all the same.
MOST: Final = 100_000
METRICS: Final = frozenset(
    metric.name
    for metric in (
        names.METRIC_MEMORY_USAGE,
        names.METRIC_CPU_TIME,
        names.METRIC_SESSION_ACTIVE,
        names.METRIC_EXCHANGE_DURATION,
    )
)
AI_TIMEOUT: Final = "ai_timeout"
# Nobody was left to be told.
_UNTOLD: Final = ("disconnected", "cancelled")
_PARTS: Final = (names.SPAN_FIRST_CHUNK, names.SPAN_STREAM, names.SPAN_AI_TIMEOUT)
_SECOND: Final = 1e9
K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class AITimeout:
    """An AI timeout: `noticed` in nanoseconds since 1970, `delay` from its deadline to then, in seconds."""

    phase: str
    noticed: int
    delay: float | None


@dataclass(slots=True)
class ServerExchange:
    """One exchange as the server saw it; times in nanoseconds since 1970, `first_chunk` and `longest_gap` in seconds.

    It is not `ended` while only spans below its root have come. `trace_id` is where it is found, `client_trace_id`
    the trace that its client sent along: the same one where the server trusts it.
    """

    trace_id: str
    start: int
    end: int
    ended: bool = False
    client_trace_id: str = ""
    session_id: str = ""
    outcome: str = ""
    first_chunk: float | None = None
    longest_gap: float | None = None
    recovered: bool = False
    silences: list[AITimeout] = field(default_factory=list)

    @property
    def hangs(self) -> bool:
        """Whether its AI was silent for too long, and its end has not come."""
        return not self.ended and bool(self.silences)

    @property
    def seconds(self) -> float:
        """Message received until its answer was complete; of use only when it has ended."""
        return max(0, self.end - self.start) / _SECOND

    def detected(self) -> Iterator[tuple[AITimeout, float]]:
        """Each silence, with the seconds from the message as it was received until it was noticed."""
        for silence in self.silences:
            yield silence, max(0, silence.noticed - self.start) / _SECOND

    def reported(self) -> Iterator[tuple[AITimeout, float]]:
        """Each silence, with the seconds from when it was noticed until the client was told; none if it never was."""
        if self.ended and not self.recovered and self.outcome not in _UNTOLD:
            for silence in self.silences:
                yield silence, max(0, self.end - silence.noticed) / _SECOND


@dataclass(frozen=True, slots=True)
class ServerSession:
    """A session that has ended: `start` in nanoseconds since 1970, `seconds`, and how many messages it had."""

    session_id: str
    trace_id: str
    start: int
    seconds: float
    turns: float | None


@dataclass(slots=True)
class ServerTelemetry:
    """Everything of one reading. `forgotten` counts the oldest that were too many to keep."""

    exchanges: OrderedDict[str, ServerExchange] = field(default_factory=OrderedDict)
    lives: OrderedDict[str, ServerSession] = field(default_factory=OrderedDict)
    starts: OrderedDict[str, int] = field(default_factory=OrderedDict)
    """When each session began, by its trace."""
    points: OrderedDict[tuple[str, int, str, str], Point] = field(default_factory=OrderedDict)
    dialects: set[str] = field(default_factory=set)
    forgotten: int = 0

    def add(self, span: Span) -> None:
        """Take in one span; what came before is taken once."""
        if span.name == names.SPAN_SESSION_START:
            self._keep(self.starts, span.trace_id, span.start)
        elif span.name == names.SPAN_SESSION:
            self._keep(self.lives, span.span_id, _life(span))
        elif span.name in _PARTS and span.parent_id:
            _see(self._exchange(span.parent_id, span), span)
        elif span.server and names.OUTCOME in span.attributes:
            _finish(self._exchange(span.span_id, span), span)
            self.dialects.add(span.text(names.DIALECT))

    def add_point(self, point: Point) -> None:
        """Take in one value of a metric."""
        labels = ",".join(f"{key}={value}" for key, value in sorted(point.attributes.items()))
        self._keep(self.points, (point.metric, point.time, process_of(point), labels), point)

    def counted(self) -> int:
        """How many exchanges the server's metrics counted, whether traced or not; the last word of each process."""
        latest: dict[tuple[str, str], float] = {}
        for (metric, _, process, labels), point in self.points.items():
            if metric == names.METRIC_EXCHANGE_DURATION.name:
                before = latest.get((process, labels), 0.0)
                latest[process, labels] = before + point.value if point.delta else max(before, point.value)
        return round(sum(latest.values()))

    def _exchange(self, key: str, span: Span) -> ServerExchange:
        found = self.exchanges.get(key)
        return found or self._keep(self.exchanges, key, ServerExchange(span.trace_id, span.start, span.end))

    def _keep(self, kept: OrderedDict[K, V], key: K, value: V) -> V:
        kept[key] = value
        if len(kept) > MOST:
            kept.popitem(last=False)
            self.forgotten += 1
        return value


def process_of(point: Point) -> str:
    """Which process of the server wrote a point."""
    return str(point.resource.get("service.instance.id") or point.resource.get("process.pid") or "")


def _see(exchange: ServerExchange, span: Span) -> None:
    """Take in what a span below the root tells; of times a finished root knows better."""
    if not exchange.ended:
        exchange.start, exchange.end = min(exchange.start, span.start), max(exchange.end, span.end)
        exchange.session_id = exchange.session_id or span.text(names.SESSION_ID)
    if span.name == names.SPAN_AI_TIMEOUT:
        phase = span.text(names.TIMEOUT_PHASE)
        if all(silence.phase != phase for silence in exchange.silences):
            exchange.silences.append(AITimeout(phase, span.end, span.number(names.TIMEOUT_DETECTION_DELAY)))
    elif span.name == names.SPAN_FIRST_CHUNK and exchange.first_chunk is None:
        exchange.first_chunk = span.seconds
    _gap(exchange, span)


def _finish(exchange: ServerExchange, span: Span) -> None:
    exchange.ended = True
    exchange.start, exchange.end = span.start, span.end
    exchange.session_id = span.text(names.SESSION_ID)
    exchange.client_trace_id = span.text(names.CLIENT_TRACE_ID)
    exchange.outcome = span.text(names.OUTCOME) or OK
    exchange.recovered = span.flag(names.TIMEOUT_RECOVERED)
    first_chunk = span.number(names.TIME_TO_FIRST_CHUNK)
    exchange.first_chunk = exchange.first_chunk if first_chunk is None else first_chunk
    _gap(exchange, span)


def _gap(exchange: ServerExchange, span: Span) -> None:
    gap = span.number(names.STREAM_MAX_GAP)
    exchange.longest_gap = exchange.longest_gap if gap is None else gap


def _life(span: Span) -> ServerSession:
    turns = span.number(names.SESSION_TURNS)
    return ServerSession(span.text(names.SESSION_ID), span.trace_id, span.start, span.seconds, turns)
