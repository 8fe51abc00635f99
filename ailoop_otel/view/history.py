"""Gathers spans into exchanges, sessions, timeouts and calls, in memory bounded by what is shown."""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ailoop_otel import names
from ailoop_otel.recorded.records import LogEvent, Span
from ailoop_otel.view.exchanges import Calls, Exchange, Session, Timeout, Told, timeout
from ailoop_otel.view.filters import OPEN, Filters
from ailoop_otel.view.spread import Spread

# So many open exchanges, finished ones that a late child may name, sessions and timeouts are remembered.
REMEMBERED: Final = 10_000
_MOST_METHODS: Final = 200
K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Totals:
    """Counts over everything that passed the filters; `first` and `last` in nanoseconds since 1970."""

    spans: int = 0
    first: int = 0
    last: int = 0
    sessions: int = 0
    sessions_ended: int = 0
    timeouts: int = 0
    server_starts: int = 0
    server_stops: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    first_chunks: Spread = field(default_factory=Spread)
    durations: Spread = field(default_factory=Spread)

    def see(self, span: Span) -> None:
        """Count a span and stretch the time that is covered."""
        self.spans += 1
        self.first = min(self.first or span.start, span.start)
        self.last = max(self.last, span.end)

    def finish(self, exchange: Exchange) -> None:
        """Count a finished exchange."""
        self.outcomes[exchange.outcome] += 1
        self.durations.add(exchange.seconds)
        if exchange.first_chunk is not None:
            self.first_chunks.add(exchange.first_chunk)


class History:
    """Takes spans in any order; `add` returns what a span has just told, for whoever follows."""

    def __init__(self, filters: Filters) -> None:
        self.filters = filters
        self.totals = Totals()
        self.calls: dict[str, Calls] = {}
        self._newest: list[tuple[int, int, Exchange]] = []
        self._matching = 0
        self._timeouts: OrderedDict[int, Timeout] = OrderedDict()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._by_id: OrderedDict[str, Session] = OrderedDict()
        self._open: OrderedDict[str, Exchange] = OrderedDict()
        self._done: OrderedDict[str, Exchange] = OrderedDict()
        self._strays: OrderedDict[str, Exchange] = OrderedDict()
        self._done_traces: OrderedDict[str, None] = OrderedDict()

    def add(self, span: Span) -> Told | None:
        """Take in one span; returns the session that began or ended, the ended exchange, or the timeout."""
        if span.end < self.filters.since or not self.filters.has_session(span.text(names.SESSION_ID)):
            return None
        self.totals.see(span)
        if span.name == names.SPAN_SESSION_START:
            return self._session_start(span)
        if span.name == names.SPAN_SESSION:
            return self._session_end(span)
        if span.name == names.SPAN_AI_TIMEOUT:
            return self._timeout(span)
        if span.server:
            return self._server(span)
        self._below(span)
        return None

    def note(self, event: LogEvent) -> bool:
        """Take in a log event; returns whether it tells of the server itself."""
        start, stop = event.name == names.EVENT_SERVER_START, event.name == names.EVENT_SERVER_STOP
        if event.time < self.filters.since or not (start or stop):
            return False
        self.totals.server_starts += start
        self.totals.server_stops += stop
        return True

    def exchanges(self) -> list[Exchange]:
        """The newest exchanges that are wanted, newest last, open ones among them."""
        done = [exchange for _, _, exchange in self._newest]
        return self._last(sorted([*done, *self._wanted_open()], key=lambda exchange: exchange.start))

    def matching(self) -> int:
        """How many exchanges are wanted in all, shown or not."""
        return self._matching + len(self._wanted_open())

    def open(self) -> list[Exchange]:
        """Exchanges of which only parts have come."""
        traces = {exchange.trace_id for exchange in self._open.values()}
        return [
            *self._open.values(),
            *(stray for trace, stray in self._strays.items() if trace not in traces),
        ]

    def sessions(self) -> list[Session]:
        """The newest sessions that are wanted, newest last."""
        wanted = [session for session in self._sessions.values() if session.errors or not self.filters.errors]
        return self._last(sorted(wanted, key=lambda session: session.started or session.seen))

    def timeouts(self) -> tuple[list[Timeout], int]:
        """The newest AI timeouts of wanted exchanges, newest last, and how many there are in all."""
        wanted = [late for late in self._timeouts.values() if self._wants(late.exchange)]
        total = self.totals.timeouts if len(wanted) == len(self._timeouts) else len(wanted)
        return self._last(sorted(wanted, key=lambda late: late.noticed)), total

    def _last(self, records: list[V]) -> list[V]:
        return records[-self.filters.limit :]

    def _wants(self, exchange: Exchange) -> bool:
        return self.filters.has_outcome(exchange.outcome, failed=exchange.failed)

    def _wanted_open(self) -> list[Exchange]:
        return [exchange for exchange in self.open() if self._wants(exchange)]

    def _server(self, span: Span) -> Exchange | None:
        self._strays.pop(span.trace_id, None)
        _remember(self._done_traces, span.trace_id, None)
        if names.OUTCOME in span.attributes:
            return self._exchange(span)
        method = span.text(names.RPC_METHOD) or span.name
        if method not in self.calls and len(self.calls) >= _MOST_METHODS:
            method = names.OTHER
        self.calls.setdefault(method, Calls(method)).add(span)
        return None

    def _exchange(self, span: Span) -> Exchange | None:
        if span.span_id in self._done:  # the same export twice
            return None
        exchange = self._open.pop(span.span_id, None) or _begun(span, span.span_id)
        exchange.finish(span)
        _remember(self._done, span.span_id, exchange)
        self.totals.finish(exchange)
        self._turn(exchange, span)
        if not self._wants(exchange):
            return None
        self._matching += 1
        entry = (exchange.start, self._matching, exchange)
        if len(self._newest) < self.filters.limit:
            heapq.heappush(self._newest, entry)
        else:
            heapq.heappushpop(self._newest, entry)
        return exchange

    def _turn(self, exchange: Exchange, span: Span) -> None:
        """Count an exchange for its session, as long as the session itself has not told its sum."""
        linked = (self._sessions.get(link.span_id) for link in span.links)
        session = next((found for found in linked if found), None) or self._by_id.get(exchange.session_id)
        if session is None and exchange.session_id:
            session = self._remember_session(exchange.session_id, Session(exchange.session_id, "", 0, span.end))
        if session is not None and not session.ended:
            session.seen = max(session.seen, span.end)
            session.turns += 1
            session.errors += exchange.failed

    def _timeout(self, span: Span) -> Timeout | None:
        late = timeout(span, self._parent(span))
        late.exchange.see(span)
        self.totals.timeouts += 1
        _remember(self._timeouts, self.totals.timeouts, late)
        return late if self._wants(late.exchange) else None

    def _below(self, span: Span) -> None:
        if span.name in (names.SPAN_FIRST_CHUNK, names.SPAN_STREAM):
            self._parent(span).see(span)
        elif span.parent_id and span.scope.startswith(names.SCOPE) and span.trace_id not in self._done_traces:
            stray = self._strays.get(span.trace_id) or _begun(span, "")
            stray.see(span)
            _remember(self._strays, span.trace_id, stray)

    def _parent(self, span: Span) -> Exchange:
        """The exchange right above a span, whether its root has come or not."""
        found = self._open.get(span.parent_id) or self._done.get(span.parent_id)
        return found or _remember(self._open, span.parent_id, _begun(span, span.parent_id))

    def _session_start(self, span: Span) -> Session | None:
        if span.span_id in self._sessions:
            return None
        session_id = span.text(names.SESSION_ID)
        session = Session(session_id, span.trace_id, span.start, span.end, span.flag(names.SESSION_RESUMED))
        self.totals.sessions += 1
        return self._remember_session(span.span_id, session)

    def _session_end(self, span: Span) -> Session | None:
        session_id = span.text(names.SESSION_ID)
        session = self._sessions.get(span.parent_id) or self._sessions.get(session_id)
        if session is None:
            session = Session(session_id, span.trace_id, span.start, span.end)
            self._remember_session(span.parent_id or span.span_id, session)
        if session.ended:  # the same export twice
            return None
        session.finish(span)
        self.totals.sessions_ended += 1
        return session

    def _remember_session(self, key: str, session: Session) -> Session:
        _remember(self._by_id, session.session_id, session)
        return _remember(self._sessions, key, session)


def _begun(span: Span, span_id: str) -> Exchange:
    return Exchange(span.trace_id, span_id, span.text(names.SESSION_ID), span.start, span.end, OPEN)


def _remember(kept: OrderedDict[K, V], key: K, value: V) -> V:
    kept[key] = value
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
    return value
