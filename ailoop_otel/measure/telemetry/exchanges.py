"""Exchanges, sessions and metric points of a server, collected from its recorded telemetry in any order."""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from ailoop_otel import names
from ailoop_otel.measure.results.observations import OK
from ailoop_otel.recorded.otlp_json import Json, Value, text
from ailoop_otel.recorded.records import SERVER_KINDS, Point, Span, process_of
from ailoop_otel.view.usage import Usage, usage_of

# The newest of each kind are kept: far more than the files of the embedded default hold, and still bounded memory.
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
# With these outcomes no client could receive the report of a timeout.
_UNREPORTED: Final = ("disconnected", "cancelled")
_PARTS: Final = (names.SPAN_FIRST_CHUNK, names.SPAN_STREAM, names.SPAN_AI_TIMEOUT)
_READ: Final = frozenset(("", *_PARTS, names.SPAN_SESSION_START, names.SPAN_SESSION))
_SECOND: Final = 1e9
K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class AITimeout:
    """An AI timeout: `noticed` in nanoseconds since 1970, `delay` in seconds from its deadline until it was noticed."""

    phase: str
    noticed: int
    delay: float | None


@dataclass(slots=True)
class ServerExchange:
    """One exchange as the server recorded it.

    `start` and `end` are nanoseconds since 1970, `first_chunk` and `longest_gap` seconds. `ended` is false as long as
    only spans below its root were read. `trace_id` is the trace that holds it, `client_trace_id` the trace of the
    client's `traceparent`: the same one where the server trusts its clients. `unread` is true where frames may have
    carried text in a form that is not known.
    """

    trace_id: str
    start: int
    end: int
    ended: bool = False
    client_trace_id: str = ""
    session_id: str = ""
    outcome: str = ""
    unread: bool = False
    first_chunk: float | None = None
    longest_gap: float | None = None
    size: float | None = None
    """Characters of the frame that carried the message."""
    recovered: bool = False
    unsampled: bool = False
    """Its session was not sampled: it was exported since it failed."""
    usage: Usage = Usage()
    timeouts: tuple[AITimeout, ...] = ()

    @property
    def hangs(self) -> bool:
        """Whether it has an AI timeout and no end."""
        return not self.ended and bool(self.timeouts)

    @property
    def seconds(self) -> float:
        """Seconds from receiving the message to the complete answer; valid only if it has ended."""
        return max(0, self.end - self.start) / _SECOND

    def detected(self) -> Iterator[tuple[AITimeout, float]]:
        """Each timeout, with the seconds from receiving the message until the timeout was noticed."""
        for timeout in self.timeouts:
            yield timeout, max(0, timeout.noticed - self.start) / _SECOND

    def reported(self) -> Iterator[tuple[AITimeout, float]]:
        """Each timeout, with the seconds from noticing it until it was reported to the client; none if it was not."""
        if self.ended and not self.recovered and self.outcome not in _UNREPORTED:
            for timeout in self.timeouts:
                yield timeout, max(0, self.end - timeout.noticed) / _SECOND


@dataclass(frozen=True, slots=True)
class ServerSession:
    """A session that has ended: `start` in nanoseconds since 1970, its duration in seconds, its number of messages."""

    session_id: str
    trace_id: str
    start: int
    seconds: float
    turns: float | None


class Series(NamedTuple):
    """What the values of a metric belong to: its process, by instance id or process id, and its attributes as text."""

    metric: str
    process: str
    labels: str
    delta: bool


@dataclass(slots=True)
class ServerTelemetry:
    """All exchanges, sessions and points that were read; `dropped` counts the oldest ones, beyond `MOST` of a kind.

    Of spans and points only what figures are made of is kept: some 700 bytes for an exchange, 250 for a point.
    """

    exchanges: OrderedDict[str, ServerExchange] = field(default_factory=OrderedDict)
    sessions: OrderedDict[str, ServerSession] = field(default_factory=OrderedDict)
    starts: OrderedDict[str, int] = field(default_factory=OrderedDict)
    """The start of each session by its trace, nanoseconds since 1970."""
    begun: OrderedDict[str, int] = field(default_factory=OrderedDict)
    """The first start of each session by its id."""
    texts: OrderedDict[str, list[tuple[int, str]]] | None = None
    """What models were sent, by trace: the start of the call, and the newest text of a user; None to leave them out."""
    points: OrderedDict[tuple[Series, int], float] = field(default_factory=OrderedDict)
    """The value of each series at each time, nanoseconds since 1970."""
    resources: dict[str, Mapping[str, Value]] = field(default_factory=dict)
    """The attributes of each process."""
    dialects: set[str] = field(default_factory=set)
    dropped: int = 0
    _series: dict[Series, Series] = field(default_factory=dict)

    def add(self, span: Span) -> None:
        """Add one span; the same span added again changes nothing."""
        if self.texts is not None and (told := user_text(span.text(names.GEN_AI_INPUT_MESSAGES))):
            self._keep(self.texts, span.trace_id, [*self.texts.get(span.trace_id, ()), (span.start, told)])
        if span.name == names.SPAN_SESSION_START:
            self._keep(self.starts, span.trace_id, span.start)
            self.begun.setdefault(span.text(names.SESSION_ID), span.start)
            if len(self.begun) > MOST:
                self.begun.popitem(last=False)
        elif span.name == names.SPAN_SESSION:
            self._keep(self.sessions, span.span_id, _session(span))
        elif span.name in _PARTS and span.parent_id:
            _add_child(self._exchange(span.parent_id, span), span)
        elif span.server and names.OUTCOME in span.attributes:
            _add_root(self._exchange(span.span_id, span), span)
            self.dialects.add(span.text(names.DIALECT))

    def add_point(self, point: Point) -> None:
        """Add one point of a metric."""
        labels = ",".join(f"{key}={value}" for key, value in sorted(point.attributes.items()))
        process = process_of(point.resource)
        self.resources[process] = point.resource
        series = Series(point.metric, process, labels, point.delta)
        self._keep(self.points, (self._series.setdefault(series, series), point.time), point.value)

    def counted(self) -> int:
        """How many exchanges the server's metrics counted, traced or not: the sum of each process's latest count."""
        latest: dict[Series, float] = {}
        for (series, _), value in self.points.items():
            if series.metric == names.METRIC_EXCHANGE_DURATION.name:
                before = latest.get(series, 0.0)
                latest[series] = before + value if series.delta else max(before, value)
        return round(sum(latest.values()))

    def _exchange(self, key: str, span: Span) -> ServerExchange:
        found = self.exchanges.get(key)
        return found or self._keep(self.exchanges, key, ServerExchange(span.trace_id, span.start, span.end))

    def _keep(self, kept: OrderedDict[K, V], key: K, value: V) -> V:
        kept[key] = value
        if len(kept) > MOST:
            kept.popitem(last=False)
            self.dropped += 1
        return value


def is_read(span: Json) -> bool:
    """Whether a span, as OTLP JSON has it, may be one that is read here; the others need not be decoded."""
    # One without a name is damaged, and counted as such.
    return text(span.get("name")) in _READ or span.get("kind") in SERVER_KINDS


def user_text(messages: str) -> str:
    """The newest text of a user in `gen_ai.input.messages`; empty where there is none, or a part of it was cut."""
    with suppress(ValueError, RecursionError, TypeError, AttributeError, KeyError):
        for message in reversed(json.loads(messages)):
            if message.get("role") == "user":
                texts = [str(part.get("content", "")) for part in message["parts"] if part.get("type") == "text"]
                return "" if not texts or texts[-1].endswith("…") else "\n".join(texts)
    return ""


def _add_child(exchange: ServerExchange, span: Span) -> None:
    """Add a span below the root; times from the root, if it was read, have priority."""
    if not exchange.ended:
        exchange.start, exchange.end = min(exchange.start, span.start), max(exchange.end, span.end)
        exchange.session_id = exchange.session_id or sys.intern(span.text(names.SESSION_ID))
    if span.name == names.SPAN_AI_TIMEOUT:
        phase = span.text(names.TIMEOUT_PHASE)
        if all(timeout.phase != phase for timeout in exchange.timeouts):
            exchange.timeouts += (AITimeout(phase, span.end, span.number(names.TIMEOUT_DETECTION_DELAY)),)
    elif span.name == names.SPAN_FIRST_CHUNK and exchange.first_chunk is None:
        exchange.first_chunk = span.seconds
    _set_longest_gap(exchange, span)


def _add_root(exchange: ServerExchange, span: Span) -> None:
    exchange.ended = True
    exchange.start, exchange.end = span.start, span.end
    exchange.session_id = sys.intern(span.text(names.SESSION_ID))  # one text for all of its exchanges
    exchange.client_trace_id = span.text(names.CLIENT_TRACE_ID)
    exchange.outcome = span.outcome or OK
    exchange.size = span.number(names.MESSAGE_SIZE)
    exchange.usage = usage_of(span)
    exchange.unread = names.UNREAD_FRAMES in span.attributes
    exchange.recovered = span.flag(names.TIMEOUT_RECOVERED)
    exchange.unsampled = bool(span.text(names.SAMPLING_REASON))
    first_chunk = span.number(names.TIME_TO_FIRST_CHUNK)
    exchange.first_chunk = exchange.first_chunk if first_chunk is None else first_chunk
    _set_longest_gap(exchange, span)


def _set_longest_gap(exchange: ServerExchange, span: Span) -> None:
    gap = span.number(names.STREAM_MAX_GAP)
    exchange.longest_gap = exchange.longest_gap if gap is None else gap


def _session(span: Span) -> ServerSession:
    turns = span.number(names.SESSION_TURNS)
    return ServerSession(sys.intern(span.text(names.SESSION_ID)), span.trace_id, span.start, span.seconds, turns)
