"""Aggregates spans into exchanges, sessions, AI timeouts, calls and totals, in bounded memory."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from typing import Final, TypeVar

from ailoop_otel import names
from ailoop_otel.recorded.records import LogEvent, Span
from ailoop_otel.view.exchanges import Calls, Entry, Exchange, Session, Timeout, Totals
from ailoop_otel.view.options import LOST, OPEN, SERVER_ENDED, Filters
from ailoop_otel.view.servers import Servers

# The maximum number of open exchanges, of finished ones that a later child may name, of sessions and of timeouts.
REMEMBERED: Final = 10_000
_MOST_METHODS: Final = 200
_LOST: Final = (LOST, SERVER_ENDED)
K = TypeVar("K")
V = TypeVar("V")


class Aggregator:
    """Aggregates spans that come in any order; `add` returns the entry that a span starts or completes.

    `servers` tells which of the sessions and exchanges without an end have ended with their server.
    """

    def __init__(self, filters: Filters, servers: Servers | None = None) -> None:
        self.filters = filters
        self.servers = servers or Servers()
        self.totals = Totals()
        self.calls: dict[str, Calls] = {}
        self._newest: list[tuple[int, int, Exchange]] = []
        self._matching = 0
        self._timeouts: OrderedDict[int, Timeout] = OrderedDict()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._by_id: OrderedDict[str, Session] = OrderedDict()
        self._open: OrderedDict[str, Exchange] = OrderedDict()
        self._done: OrderedDict[str, Exchange] = OrderedDict()
        self._orphans: OrderedDict[str, Exchange] = OrderedDict()
        self._done_traces: OrderedDict[str, None] = OrderedDict()
        self._makers: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def add(self, span: Span) -> Entry | None:
        """Add one span; returns the session that began or ended, the exchange that ended, or the AI timeout."""
        if not self.filters.has_times(span.start, span.end):
            return None
        self._note_maker(span)
        if not self.filters.has_session(span.text(names.SESSION_ID)):
            return None
        self.totals.add(span)
        if span.name == names.SPAN_SESSION_START:
            return self._session_start(span)
        if span.name == names.SPAN_SESSION:
            return self._session_end(span)
        if span.name == names.SPAN_AI_TIMEOUT:
            return self._timeout(span)
        if span.server:
            return self._server_span(span)
        self._descendant(span)
        return None

    def add_event(self, event: LogEvent) -> bool:
        """Add a log event; returns whether it is a start or stop of the server."""
        start, stop = event.name == names.EVENT_SERVER_START, event.name == names.EVENT_SERVER_STOP
        if not self.filters.has_times(event.time, event.time) or not (start or stop):
            return False
        self.totals.server_starts += start
        self.totals.server_stops += stop
        return True

    def exchanges(self) -> list[Exchange]:
        """The newest exchanges that pass the filters, open ones included, newest last."""
        done = [exchange for _, _, exchange in self._newest]
        for exchange in done:  # whose other spans came after its root
            if not (exchange.agent or exchange.model):
                exchange.agent, exchange.model = self._makers.get(exchange.trace_id, ("", ""))
        return self._last(sorted([*done, *self._passing_open()], key=lambda exchange: exchange.start))

    def matching(self) -> int:
        """How many exchanges pass the filters, shown or not."""
        return self._matching + len(self._passing_open())

    def open(self) -> list[Exchange]:
        """Exchanges without a root span so far."""
        traces = {exchange.trace_id for exchange in self._open.values()}
        found = [
            *self._open.values(),
            *(orphan for trace, orphan in self._orphans.items() if trace not in traces),
        ]
        for exchange in found:
            exchange.lost = self.servers.ended(exchange.process, exchange.end)
        return found

    def sessions(self) -> list[Session]:
        """The newest sessions that pass the filters, newest last."""
        wanted = [session for session in self._sessions.values() if session.errors or not self.filters.errors]
        for session in wanted:
            session.lost = 0 if session.ended else self.servers.ended(session.process, session.seen)
        return self._last(sorted(wanted, key=lambda session: session.started or session.seen))

    def shown_sessions(self) -> list[Session]:
        """The sessions that the filters let pass; none where they ask for exchanges."""
        return [] if self.filters.of_exchanges else self.sessions()

    def shown_calls(self) -> list[Calls]:
        """The calls that the filters let pass; none where they ask for exchanges."""
        filters = self.filters
        return [] if filters.of_exchanges else [c for c in self.calls.values() if c.errors or not filters.errors]

    def timeouts(self) -> tuple[list[Timeout], int]:
        """The newest AI timeouts of exchanges that pass the filters, newest last, and how many there are in all."""
        wanted = [timeout for timeout in self._timeouts.values() if self._passes(timeout.exchange)]
        total = self.totals.timeouts if len(wanted) == len(self._timeouts) else len(wanted)
        return self._last(sorted(wanted, key=lambda timeout: timeout.noticed)), total

    def _last(self, records: list[V]) -> list[V]:
        return records[-self.filters.limit :]

    def _passes(self, exchange: Exchange) -> bool:
        filters = self.filters
        if exchange.open:
            exchange.agent, exchange.model = self._makers.get(exchange.trace_id, ("", ""))
        return (
            exchange.seconds >= filters.min_duration
            and (filters.outcome in ("", exchange.outcome) or (exchange.lost > 0 and filters.outcome in _LOST))
            and (exchange.failed or not filters.errors)
            and filters.agent in ("", exchange.agent)
            and filters.model in exchange.model
        )

    def _note_maker(self, span: Span) -> None:
        """Keep the agent and the model of a trace's exchange, whose spans come before its root."""
        agent, model = span.text(names.GEN_AI_AGENT_NAME), span.text(names.GEN_AI_REQUEST_MODEL)
        if agent or model:
            known = self._makers.get(span.trace_id, ("", ""))
            _remember(self._makers, span.trace_id, (known[0] or agent, known[1] or model))

    def _passing_open(self) -> list[Exchange]:
        return [exchange for exchange in self.open() if self._passes(exchange)]

    def _server_span(self, span: Span) -> Exchange | None:
        self._orphans.pop(span.trace_id, None)
        _remember(self._done_traces, span.trace_id, None)
        if names.OUTCOME in span.attributes:
            return self._exchange(span)
        method = span.text(names.RPC_METHOD) or span.name
        if method not in self.calls and len(self.calls) >= _MOST_METHODS:
            method = names.OTHER
        self.calls.setdefault(method, Calls(method)).add(span)
        return None

    def _exchange(self, span: Span) -> Exchange | None:
        if span.span_id in self._done:  # exported twice
            return None
        exchange = self._open.pop(span.span_id, None) or _open_exchange(span, span.span_id)
        exchange.finish(span)
        exchange.agent, exchange.model = self._makers.pop(span.trace_id, ("", ""))
        _remember(self._done, span.span_id, exchange)
        self.totals.add_finished(exchange)
        self._count_turn(exchange, span)
        if not self._passes(exchange):
            return None
        self._matching += 1
        entry = (exchange.start, self._matching, exchange)
        if len(self._newest) < self.filters.limit:
            heapq.heappush(self._newest, entry)
        else:
            heapq.heappushpop(self._newest, entry)
        return exchange

    def _count_turn(self, exchange: Exchange, span: Span) -> None:
        """Count an exchange as a turn of its session, unless the session's own span with the totals was read."""
        linked = (self._sessions.get(link) for link in span.links)
        session = next((found for found in linked if found), None) or self._by_id.get(exchange.session_id)
        if session is None and exchange.session_id:
            session = Session(exchange.session_id, "", 0, span.end, process=span.process)
            self._remember_session(exchange.session_id, session)
        if session is not None and not session.ended:
            session.seen = max(session.seen, span.end)
            session.turns += 1
            session.errors += exchange.failed
            session.usage = session.usage.plus(exchange.usage)

    def _timeout(self, span: Span) -> Timeout | None:
        timeout = self._parent(span).add_timeout(span)
        self.totals.timeouts += 1
        _remember(self._timeouts, self.totals.timeouts, timeout)
        return timeout if self._passes(timeout.exchange) else None

    def _descendant(self, span: Span) -> None:
        if span.name in (names.SPAN_FIRST_CHUNK, names.SPAN_STREAM):
            self._parent(span).add_child(span)
        elif span.parent_id and span.scope.startswith(names.SCOPE) and span.trace_id not in self._done_traces:
            orphan = self._orphans.get(span.trace_id) or _open_exchange(span, "")
            orphan.add_child(span)
            _remember(self._orphans, span.trace_id, orphan)

    def _parent(self, span: Span) -> Exchange:
        """The exchange whose root is the parent of a span, whether that root was read already or not."""
        found = self._open.get(span.parent_id) or self._done.get(span.parent_id)
        return found or _remember(self._open, span.parent_id, _open_exchange(span, span.parent_id))

    def _session_start(self, span: Span) -> Session | None:
        if span.span_id in self._sessions:
            return None
        session_id = span.text(names.SESSION_ID)
        session = Session(session_id, span.trace_id, span.start, span.end, span.flag(names.SESSION_RESUMED))
        session.process = span.process
        self.totals.sessions += 1
        return self._remember_session(span.span_id, session)

    def _session_end(self, span: Span) -> Session | None:
        session_id = span.text(names.SESSION_ID)
        session = self._sessions.get(span.parent_id) or self._sessions.get(session_id)
        if session is None:
            session = Session(session_id, span.trace_id, span.start, span.end)
            self._remember_session(span.parent_id or span.span_id, session)
        if session.ended:  # exported twice
            return None
        session.finish(span)
        self.totals.sessions_ended += 1
        return session

    def _remember_session(self, key: str, session: Session) -> Session:
        _remember(self._by_id, session.session_id, session)
        return _remember(self._sessions, key, session)


def _open_exchange(span: Span, span_id: str) -> Exchange:
    session_id = span.text(names.SESSION_ID)
    return Exchange(span.trace_id, span_id, session_id, span.start, span.end, OPEN, process=span.process)


def _remember(kept: OrderedDict[K, V], key: K, value: V) -> V:
    kept[key] = value
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
    return value
