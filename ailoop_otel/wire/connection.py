"""One WebSocket from its handshake to its end: its calls, exchanges and sessions, and what its frames mean for them."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.trace import Link

from ailoop_otel import names
from ailoop_otel.protocol.answer import COMPLETE, FIRST
from ailoop_otel.protocol.dialect import ChunkForm, Meaning, Notice
from ailoop_otel.protocol.foreign import harmless, identifier
from ailoop_otel.protocol.jsonrpc import (
    Json,
    Request,
    carries_text,
    error_code,
    id_text,
    is_reply,
    read_frame,
    read_request,
)
from ailoop_otel.protocol.registry import DIALECTS
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.tracking.exchange import BY_ORDER, Exchange, current_exchange
from ailoop_otel.tracking.sessions import DISCONNECTED, FAILED, SHUTDOWN, Session
from ailoop_otel.tracking.watchdog import TOTAL
from ailoop_otel.wire.calls import Call, attributes_of, begin_call, client_of, handshake_trace, remote_span
from ailoop_otel.wire.correlation import Correlation
from ailoop_otel.wire.state import Wire

# uvicorn closes with it when it has to stop (RFC 6455 registry: "Service Restart").
_SERVICE_RESTART: Final = 1012
# So many requests of one socket may be unanswered; AILoop answers one after the other.
_MOST_CALLS: Final = 64


class Connection(Correlation):
    """The state of one connection; `wire.socket` feeds it with each frame. Times are as the clock's `now`.

    `traits` is what the server's frames have shown of how it speaks. Nothing else writes a field of a connection, and
    only `Wire.complete` and `Wire.forget` end an exchange.
    """

    __slots__ = ("_began", "calls", "client", "closed", "handshake", "stranger")

    def __init__(self, wire: Wire, scope: Any) -> None:
        super().__init__(wire)
        self.client = client_of(scope)
        self.handshake = handshake_trace(scope)
        self.calls: list[Call] = []
        self.stranger = False  # a message was replied to as no known dialect does
        self.closed = False
        self._began = wire.telemetry.clock.now()
        wire.telemetry.connection_active.add(1)
        wire.connections.add(self)

    @property
    def over(self) -> bool:
        """Whether nothing that happens on it is observed any more."""
        return self.closed or not self.wire.active

    # --- From the client -----------------------------------------------------------------------------------
    def request(self, text: str, now: int) -> Call | None:
        """A text frame arrived; returns the call it makes, or None where it is not followed."""
        if not self.wire.has_room():
            return None
        request = read_request(text)
        call = self._open(request, now, len(text))
        self.calls.append(call)
        if len(self.calls) > _MOST_CALLS:
            self._give_up(self.calls.pop(0), now)
        if request.method in DIALECTS.stop_methods and request.has_id and self.traits.stop_cuts:
            for exchange in self.wire.queues.of(call.session_id):
                exchange.stopped = True
        return call

    def binary(self, now: int) -> None:
        """A binary frame arrived: AILoop knows none, and drops the connection."""
        self._open(Request(has_id=True), now, 0).end(self.wire.telemetry, now, "protocol_error")

    def awaiting(self, now: int) -> None:
        """The application came back for the next message: the messages that get no reply were handled."""
        for call in [call for call in self.calls if not call.has_id]:
            self.calls.remove(call)
            exchange = call.exchange
            if exchange is None:
                call.end(self.wire.telemetry, now)
            elif not exchange.ended:
                self._handled(exchange, now)

    def disconnected(self, code: int, now: int) -> None:
        """The client has left, or the server sends it away because it stops."""
        self.wire.stopping = stopping = code == _SERVICE_RESTART
        for exchange in list(self.exchanges):
            if stopping:
                # A chunk may have failed between the close and its being read: no client has left for that.
                exchange.stopped, exchange.left = True, 0
            else:
                exchange.left = exchange.left or now
            self.wire.complete(exchange, now)
        self.sessions.leave(now, SHUTDOWN if stopping else DISCONNECTED)

    def _open(self, request: Request, now: int, size: int) -> Call:
        ledger = self.wire.ledger
        named = DIALECTS.session_of(request.method, request.params)
        session = ledger.get(named)
        if session is not None:
            self.adopt(session.traits)
        is_message = self._is_message(request)
        if is_message:
            session = self.sessions.of_message(named, self.traits, now)
        if is_message and session is not None:
            self.use(session)
        attributes = attributes_of(request, self.client)
        link: Link | None = None
        if session is not None:
            attributes[names.SESSION_ID] = session.id
            link = session.link
        if self.traits.dialects:
            attributes[names.DIALECT] = self.traits.name
        client_span = remote_span(request.trace) or remote_span(self.handshake)
        call = begin_call(self.wire.telemetry, request, named, now, attributes, link, client_span)
        if is_message:
            call.exchange = self._open_exchange(call, request, session, size)
        return call

    def _is_message(self, request: Request) -> bool:
        if not request.valid or request.method not in DIALECTS.message_methods:
            return False
        if request.has_id:
            return bool(self.traits.dialects) or not self.stranger
        return self.traits.answers_notifications is not False and not self.stranger

    def _open_exchange(self, call: Call, request: Request, session: Session | None, size: int) -> Exchange:
        exchange = Exchange(self.wire.telemetry, call.span, call.received, call.offset, size)
        exchange.session_id = session.id if session is not None else None
        exchange.named = identifier(call.session_id)
        exchange.traits = traits = self.traits
        commands = traits.commands if traits.dialects else DIALECTS.commands
        exchange.command = bool(commands) and DIALECTS.command_of(request.method, request.params) in commands
        if traits.queues:
            exchange.correlation = BY_ORDER
        # Where it is open whether messages wait for each other, one that does not wait shows it by its first chunk. One
        # that was taken while its session's earlier one is open here may wait whatever is typical.
        behind = any(each.named == exchange.named for each in self.exchanges)
        waits = behind or (traits.queues is not False and bool(traits.dialects))
        self.exchanges.append(exchange)
        exchange.home = self.exchanges
        self.wire.open(exchange, call.received, waits=waits, behind=behind)
        return exchange

    def _handled(self, exchange: Exchange, now: int) -> None:
        exchange.answered = True
        if self.traits.answers_notifications and self.traits.reply_answers is False:
            return  # its answer is made elsewhere, and a frame completes it
        if exchange.first or self.traits.answers_notifications:
            exchange.handled()
            self.wire.complete(exchange, now)
        else:
            self.wire.forget(exchange, now)

    def _give_up(self, call: Call, now: int) -> None:
        exchange = call.exchange
        if exchange is None:
            call.end(self.wire.telemetry, now)
        elif not exchange.ended:
            self.wire.forget(exchange, now)

    # --- To the client -------------------------------------------------------------------------------------
    def sent(self, text: str, now: int) -> None:
        """A text frame was handed to the socket at `now`; chunks that were counted before do not come here."""
        form = DIALECTS.form(text)
        if form is not None:
            self._chunk(text, now, form)
            return
        if DIALECTS.repeats_text(text):
            exchange = current_exchange()
            if exchange is not None and exchange.first:
                return  # all of it was seen before
        frame = read_frame(text)
        if frame is None:
            self.unreadable(None)
        elif is_reply(frame):
            self._replied(frame, len(text), now)
        else:
            self._noticed(frame, len(text), now)

    def chunk_sent(self, exchange: Exchange, changed: int, session_id: str | None, now: int) -> None:
        """A chunk was handed to the socket that `exchange` has taken; `changed` is what `Answer.take` returned."""
        if changed & FIRST:
            if exchange.session_id is None:
                self.see_session(exchange, session_id)
            if not exchange.turn:
                exchange.take_turn(exchange.received)
            exchange.record_first_chunk()
            # From now on a stall is looked for, which may come sooner than what was waited for.
            self.wire.watchdog.watch(exchange)
        if changed & COMPLETE and exchange.answered:
            self.wire.complete(exchange, now)

    def unreadable(self, session_id: str | None, method: object = None) -> None:
        """A frame of an unknown form was sent: whichever exchange it was for, it may have carried its answer."""
        exchange = self.find(session_id)
        concerned = [exchange] if exchange is not None else self.exchanges if session_id is None else []
        for each in concerned:
            each.unreadable()
            self.wire.unread_method = harmless(method)

    def left(self, text: str | None, now: int) -> None:
        """The client has left, as a send shows, if the frame belongs to an exchange that is this connection's own."""
        exchange = self._exchange_of(text)
        if exchange is not None and exchange.home is self.exchanges:
            exchange.left = exchange.left or now

    def unsent(self, text: str | None, now: int, error: str) -> None:
        """A frame could not be sent at `now`: it is no chunk, and if it was a reply, its request has failed."""
        exchange = self._exchange_of(text)
        if exchange is not None:
            exchange.unsent(now, len(text or ""), error)
        frame = read_frame(text) if text is not None else None
        call = self._call_of(frame) if frame is not None and is_reply(frame) else None
        if call is not None:
            self.calls.remove(call)
            if call.exchange is None:
                call.end(self.wire.telemetry, now, error)
            elif not call.exchange.ended:
                call.exchange.raised = error
                self.wire.complete(call.exchange, now)

    def _exchange_of(self, text: str | None) -> Exchange | None:
        exchange = current_exchange()
        if exchange is None and text is not None and (form := DIALECTS.form(text)) is not None:
            exchange = self.find(form.session(text))
        return exchange

    def _chunk(self, text: str, now: int, form: ChunkForm) -> None:
        session_id = form.session(text)
        exchange = self.find(session_id)
        self.learn(DIALECTS.dialect_of(form))
        if exchange is None:
            self.wire.telemetry.unmatched += 1
            return
        changed = exchange.take(now, text, form)
        self.chunk_sent(exchange, changed, session_id, now)

    def _noticed(self, frame: Json, size: int, now: int) -> None:
        method, params = frame.get("method"), frame.get("params")
        dialect, notice = DIALECTS.notice(method, params)
        self.learn(dialect)
        meaning = notice.meaning
        if meaning is Meaning.OTHER:
            return
        if meaning is Meaning.UNREADABLE:
            if carries_text(params):
                self.unreadable(notice.session_id, method)
            return
        if meaning is Meaning.SESSION_ENDED or meaning is Meaning.SESSION_FAILED:
            self._session_over(notice, now)
            return
        exchange = self.find(notice.session_id)
        if exchange is None:
            if notice.text and meaning in (Meaning.UPDATE, Meaning.PIECE):
                self.wire.telemetry.unmatched += 1
            return
        changed = exchange.read(now, notice, size)
        if meaning is Meaning.TIMED_OUT and not exchange.timeouts:
            # The server's own notice came first: it is the detection.
            exchange.record_timeout(exchange.notice(TOTAL, now - (exchange.turn or exchange.received), now, now))
        self.chunk_sent(exchange, changed, notice.session_id, now)

    def _session_over(self, notice: Notice, now: int) -> None:
        for exchange in self.wire.queues.of(notice.session_id):
            exchange.read(now, notice, 0)
            if exchange.answered:
                self.wire.complete(exchange, now)
        session = self.wire.ledger.get(notice.session_id)
        if session is not None and notice.meaning is Meaning.SESSION_FAILED:
            self.wire.ledger.end(session, FAILED, now)

    # --- Replies -------------------------------------------------------------------------------------------
    def _replied(self, frame: Json, size: int, now: int) -> None:
        call = self._call_of(frame)
        if call is None:
            return
        self.calls.remove(call)
        code = error_code(frame)
        call.replied(self.wire.telemetry, now, code)
        exchange = call.exchange
        if exchange is None:
            if code is None:
                self._lifecycle(call, frame.get("result"), now)
        elif code is not None:
            exchange.refuse(code)
            self.wire.complete(exchange, now)
        elif not exchange.ended:
            self._message_replied(call, exchange, frame.get("result"), size, now)

    def _call_of(self, reply: Json) -> Call | None:
        key = id_text(reply.get("id"))
        return next((call for call in self.calls if call.key == key), None)

    def _lifecycle(self, call: Call, result: Any, now: int) -> None:
        dialect, started = DIALECTS.started(call.method, result)
        self.learn(dialect)
        if started is not None:
            session = self.wire.ledger.start(started, call.received, now, call.span.get_span_context())
            session.traits = self.traits
            self.sessions.own = session
            self.use(session)
        elif call.method in DIALECTS.stop_methods and call.session_id is not None:
            if self.traits.stop_cuts:
                for exchange in self.wire.queues.of(call.session_id):
                    exchange.stopped = True
                    self.wire.complete(exchange, now)
            self.wire.ledger.stop(call.session_id, now)

    def _message_replied(self, call: Call, exchange: Exchange, result: Any, size: int, now: int) -> None:
        known = DIALECTS.replies(call.method, result)
        if not known:
            self._strange_reply(exchange, now)
            return
        self.revise(self.traits.replied(known, command=exchange.command))
        _, reply = known[0]
        changed = exchange.reply(now, reply, size)
        if exchange.repeated:
            self.revise(self.traits.proven("repeats", True))
        if changed & FIRST:
            exchange.record_first_chunk()
        if changed & COMPLETE:
            self.wire.complete(exchange, now)
        elif self.sessions.own is None:
            # It goes to the session that it names: there is no other.
            self.see_session(exchange, call.session_id)

    def _strange_reply(self, exchange: Exchange, now: int) -> None:
        exchange.answered = True
        if exchange.first:
            # Its chunks were read, and the request succeeded: JSON-RPC has no more to it.
            exchange.whole = True
            self.wire.complete(exchange, now)
            return
        self.stranger = True
        self.wire.forget(exchange, now)
        self.wire.report_stranger()

    # --- The end -------------------------------------------------------------------------------------------
    def close(self, now: int, raised: BaseException | None) -> None:
        """The application is done with the socket; whatever is still open ends here."""
        if self.closed:
            return
        self.closed = True
        self.wire.connections.discard(self)
        telemetry = self.wire.telemetry
        guard = telemetry.guard
        error = type(raised).__name__ if isinstance(raised, Exception) else None
        for exchange in list(self.exchanges):
            if error is not None:
                exchange.raised = error
            elif raised is not None:
                exchange.stopped = True
            else:
                exchange.left = exchange.left or now
            with guard:
                self.wire.complete(exchange, now)
        ending = error or ("disconnected" if raised is None else "cancelled")
        for call in self.calls:
            if call.exchange is None:
                with guard:
                    call.end(telemetry, now, ending)
        self.calls.clear()
        with guard:
            self.sessions.leave(now, FAILED if error else DISCONNECTED)
        telemetry.connection_active.add(-1)
        telemetry.connection_duration.record((now - self._began) / SECOND)
