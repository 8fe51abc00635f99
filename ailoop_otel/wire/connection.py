"""One WebSocket: its calls, exchanges and sessions."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.trace import Link, NonRecordingSpan, SpanKind

from ailoop_otel import names
from ailoop_otel.dialects import DIALECTS, Dialect, recognise
from ailoop_otel.dialects.frame import (
    MESSAGE_METHOD,
    START_METHOD,
    STOP_METHOD,
    Answer,
    Json,
    Meaning,
    Notice,
    Request,
    error_code,
    is_reply,
    read_frame,
    read_request,
)
from ailoop_otel.exchange import TOTAL, Exchange
from ailoop_otel.sessions import DISCONNECTED, FAILED, SHUTDOWN, Session
from ailoop_otel.telemetry import EMPTY, SECOND, Attributes, context_of
from ailoop_otel.wire.call import Call, attributes_of, handshake_attributes
from ailoop_otel.wire.correlation import CURRENT
from ailoop_otel.wire.membership import Membership
from ailoop_otel.wire.state import Wire
from ailoop_otel.wire.trust import handshake_trace, remote_span

# uvicorn closes with it when it is told to stop (RFC 6455 registry: "Service Restart").
_SERVICE_RESTART: Final = 1012
_NO_FRAME: Final = "\0"
# So many requests of one socket may be unanswered; AILoop answers one after the other.
_MOST_CALLS: Final = 64


class Connection:
    """One WebSocket from its handshake to its end; times are monotonic nanoseconds.

    `head` is how a frame begins that streams an answer, once the dialect is known.
    """

    __slots__ = (
        "__weakref__", "_attributes", "_began", "_calls", "_closed", "_exchanges", "_handshake", "_sessions",
        "dialect", "head", "wire",
    )  # fmt: skip

    def __init__(self, wire: Wire, scope: Any) -> None:
        self.wire = wire
        self.dialect: Dialect | None = None
        self.head = _NO_FRAME
        self._attributes = handshake_attributes(scope)
        self._handshake = handshake_trace(scope)
        self._began = wire.telemetry.clock.now()
        self._calls: list[Call] = []
        self._exchanges: set[Exchange] = set()
        self._sessions = Membership(wire.ledger)
        self._closed = False
        wire.connections.add(self)
        wire.telemetry.connection_active.add(1)

    # --- From the client -----------------------------------------------------------------------------------
    def awaiting(self, now: int) -> None:
        """The application came back for the next message: what needed no reply is done."""
        for call in list(self._calls):
            if call.request.has_id:
                continue
            self._calls.remove(call)
            exchange = call.exchange
            if exchange is None:
                call.end(now)
            elif not exchange.ended:
                exchange.answered = True
                exchange.whole = bool(exchange.first)
                self._check_ending(exchange, Answer())
                self.wire.complete(exchange, now)

    def request(self, text: str, now: int) -> Call | None:
        """A text frame arrived; returns the call it makes, or None where it is not followed."""
        if not self.wire.has_room():
            return None
        request = read_request(text)
        call = self._open_call(request, now, len(text))
        self._calls.append(call)
        if len(self._calls) > _MOST_CALLS and self._calls[0].exchange is None:
            self._calls.pop(0).end(now)
        if request.method == STOP_METHOD and self.dialect is not None and self.dialect.stop_cuts:
            for exchange in self.wire.queues.of(request.session_id):
                exchange.stopped = True
        return call

    def binary(self, now: int) -> None:
        """A binary frame arrived: AILoop knows none."""
        call = self._open_call(Request(has_id=True), now, 0)
        call.end(now, "protocol_error")

    def disconnected(self, code: int, now: int) -> None:
        """The client has left, or the server sends it away because it stops."""
        stopping = code == _SERVICE_RESTART
        for exchange in list(self._exchanges):
            if stopping:
                exchange.stopped = True
            else:
                exchange.left = exchange.left or now
            self.wire.complete(exchange, now)
        self._sessions.leave(now, SHUTDOWN if stopping else DISCONNECTED)

    # --- To the client -------------------------------------------------------------------------------------
    def find(self, text: str) -> Exchange | None:
        """The exchange that a chunk belongs to where the sender's context does not tell."""
        dialect = self.dialect
        session_id = dialect.chunk_session(text) if dialect is not None else None
        return self._of_session(session_id)

    def sent(self, text: str, now: int) -> None:
        """A text frame was handed to the socket at `now`; chunks that only count do not come here."""
        if self.dialect is None:
            self._learn(recognise(text))
        if text.startswith(self.head):
            self._chunk(text, now)
            return
        frame = read_frame(text)
        if frame is None:
            return
        if is_reply(frame):
            self._replied(frame, len(text), now)
        elif self.dialect is not None:
            self._noticed(self.dialect.notice(frame), len(text), now)

    def first_chunk(self, exchange: Exchange, text: str) -> None:
        """The first chunk of an answer was sent."""
        dialect = self.dialect
        if dialect is not None:
            exchange.dialect = dialect.name
            if exchange.session_id is None:
                self._see_session(exchange, dialect.chunk_session(text))
        exchange.tell_first_chunk()

    def failed(self, text: str | None, now: int) -> None:
        """A send failed: the client of the exchange that the frame belongs to has left."""
        exchange = _current()
        if exchange is None and text is not None and text.startswith(self.head):
            exchange = self.find(text)
        if exchange is not None:
            exchange.left = exchange.left or now

    def close(self, now: int, raised: BaseException | None) -> None:
        """The application is done with the socket; whatever is still open ends here."""
        if self._closed:
            return
        self._closed = True
        self.head = _NO_FRAME
        telemetry = self.wire.telemetry
        telemetry.connection_active.add(-1)
        telemetry.connection_duration.record((now - self._began) / SECOND)
        error = type(raised).__name__ if isinstance(raised, Exception) else None
        for exchange in list(self._exchanges):
            self._end_with_socket(exchange, error, cancelled=raised is not None and error is None, now=now)
        for call in self._calls:
            if call.exchange is None:
                call.end(now, error or "disconnected")
        self._calls.clear()
        self._sessions.leave(now, FAILED if error else DISCONNECTED)

    # --- Calls ---------------------------------------------------------------------------------------------
    def _open_call(self, request: Request, now: int, size: int) -> Call:
        telemetry = self.wire.telemetry
        is_message = self._is_message(request)
        session = self._sessions.of(request, self.dialect, now) if is_message else None
        session = session or self.wire.ledger.get(request.session_id)
        if is_message and session is not None:
            self._use(session)
        attributes: Attributes = self._attributes | attributes_of(request)
        if session is not None:
            attributes[names.SESSION_ID] = session.id
        if self.dialect is not None:
            attributes[names.DIALECT] = self.dialect.name
        links = [session.link] if session is not None else []
        parent = EMPTY
        client = remote_span(request.trace or self._handshake)
        if client is not None and telemetry.settings.trust_client:
            parent = context_of(NonRecordingSpan(client))
        elif client is not None:
            links.append(Link(client))
            attributes[names.CLIENT_TRACE_ID] = f"{client.trace_id:032x}"
        offset = telemetry.offset()
        method = str(attributes[names.RPC_METHOD])
        span = telemetry.start_span(method, now + offset, attributes, parent, SpanKind.SERVER, links)
        call = Call(request, span, now, offset)
        if is_message:
            call.exchange = self._open_exchange(call, session, size)
        return call

    def _open_exchange(self, call: Call, session: Session | None, size: int) -> Exchange:
        exchange = Exchange(self.wire.telemetry, call.span, call.received, call.offset, size)
        exchange.session_id = session.id if session is not None else None
        dialect = self.dialect
        if dialect is not None:
            exchange.dialect = dialect.name
            exchange.command = call.request.command in dialect.commands
            if dialect.queues:
                exchange.correlation = "order"
        self._exchanges.add(exchange)
        exchange.home = self._exchanges
        self.wire.open(exchange, call.received, waits=dialect is not None and dialect.queues)
        return exchange

    def _is_message(self, request: Request) -> bool:
        if not request.valid or request.method != MESSAGE_METHOD:
            return False
        return request.has_id or (self.dialect is not None and self.dialect.takes_notifications)

    def _replied(self, frame: Json, size: int, now: int) -> None:
        call = self._call_of(frame.get("id"))
        if call is None:
            return
        self._calls.remove(call)
        code = error_code(frame)
        call.replied(self.wire.telemetry, now, code)
        exchange = call.exchange
        if exchange is not None:
            if not exchange.ended:
                exchange.code = code or None
                exchange.raised = "server_error" if code == 0 else exchange.raised
                self._message_replied(call.request, exchange, frame.get("result"), size, now)
        elif code is None:
            self._lifecycle(call, frame.get("result"), now)

    def _call_of(self, request_id: object) -> Call | None:
        # Compared with its type: JSON's 1, 1.0 and true are equal in Python.
        for call in self._calls:
            if call.request.id == request_id and type(call.request.id) is type(request_id):
                return call
        return None

    def _lifecycle(self, call: Call, result: Any, now: int) -> None:
        method = call.request.method
        if method == START_METHOD and isinstance(result, dict) and isinstance(result.get("sessionId"), str):
            cause = call.span.get_span_context()
            session = self.wire.ledger.start(result["sessionId"], call.received, now, cause)
            session.dialect = self.dialect
            self._sessions.own = session
            self._use(session)
        elif method == STOP_METHOD and call.request.session_id is not None:
            self._stop_session(call.request.session_id, now)

    def _message_replied(self, request: Request, exchange: Exchange, result: Any, size: int, now: int) -> None:
        exchange.answered = True
        if exchange.code is not None or exchange.raised is not None:
            self.wire.complete(exchange, now)
            return
        answer = self._read_answer(request, result)
        if answer is None:
            self.wire.forget(exchange, now)
        elif answer.acknowledges:
            self._see_session(exchange, request.session_id)
            if exchange.whole or exchange.failed:
                self.wire.complete(exchange, now)
        else:
            self._answered(exchange, answer, size, now)

    def _read_answer(self, request: Request, result: Any) -> Answer | None:
        if self.dialect is not None:
            return self.dialect.answer(result)
        # Nothing was said yet by which to tell the generations apart.
        for dialect in DIALECTS:
            answer = dialect.answer(result)
            if answer is not None and (not answer.command or request.command in dialect.commands):
                if not answer.acknowledges and not answer.command:
                    self._learn(dialect)
                return answer
        return None

    def _answered(self, exchange: Exchange, answer: Answer, size: int, now: int) -> None:
        if self.dialect is not None:
            exchange.dialect = self.dialect.name
        exchange.command = answer.command
        exchange.failed = answer.failed
        exchange.answer_size = answer.size
        if answer.size and not exchange.first:
            exchange.text(now, size)
            exchange.tell_first_chunk()
        exchange.whole = bool(answer.size) or answer.command
        self._check_ending(exchange, answer)
        self.wire.complete(exchange, now)

    def _check_ending(self, exchange: Exchange, answer: Answer) -> None:
        """A stream of plain text that was not sent once more at its end did not end well."""
        exchange.cut = exchange.plain and not exchange.repeated and answer.tells_ending

    # --- Notifications -------------------------------------------------------------------------------------
    def _chunk(self, text: str, now: int) -> None:
        dialect = self.dialect
        exchange = _current() or self.find(text)
        if dialect is None:
            return
        if exchange is None:
            if not self._closed:
                self.wire.telemetry.unmatched += 1
            return
        if dialect.final_tail and text.endswith(dialect.final_tail):
            self._final(exchange, now)
        elif dialect.cumulative:
            if exchange.update(now, text, dialect):
                self.first_chunk(exchange, text)
        else:
            exchange.chunk(now, len(text))
            exchange.answer_size += dialect.chunk_size(len(text))
            if exchange.chunks == 1:
                self.first_chunk(exchange, text)

    def _noticed(self, notice: Notice, size: int, now: int) -> None:
        meaning = notice.meaning
        if meaning is Meaning.OTHER:
            return
        if meaning is Meaning.SESSION_ENDED or meaning is Meaning.SESSION_FAILED:
            self._session_over(notice.session_id, now, failed=meaning is Meaning.SESSION_FAILED)
            return
        exchange = _current() or self._of_session(notice.session_id)
        if exchange is None:
            return
        if meaning is Meaning.TEXT or meaning is Meaning.CHUNK:
            if notice.size and not exchange.first:
                exchange.text(now, size)
                self._see_session(exchange, notice.session_id)
                exchange.tell_first_chunk()
        elif meaning is Meaning.FINAL:
            self._final(exchange, now)
        else:
            self._failed_notice(exchange, now, timed_out=meaning is Meaning.TIMED_OUT)

    def _final(self, exchange: Exchange, now: int) -> None:
        exchange.whole = True
        if exchange.answered:
            self.wire.complete(exchange, now)

    def _failed_notice(self, exchange: Exchange, now: int, *, timed_out: bool) -> None:
        exchange.failed = True
        if timed_out and not exchange.timeouts:
            # The server's own notice came first: it is the detection.
            exchange.tell(exchange.notice(TOTAL, now - (exchange.turn or exchange.received), now, now))
        if exchange.answered:
            self.wire.complete(exchange, now)

    def _session_over(self, session_id: str | None, now: int, *, failed: bool) -> None:
        for exchange in self.wire.queues.of(session_id):
            exchange.failed = exchange.failed or failed
            exchange.stopped = exchange.stopped or not failed
            if exchange.answered:
                self.wire.complete(exchange, now)
        session = self.wire.ledger.get(session_id)
        if failed and session is not None:
            self.wire.ledger.end(session, FAILED, now)

    # --- Sessions ------------------------------------------------------------------------------------------
    def _see_session(self, exchange: Exchange, session_id: str | None) -> None:
        """A session that the server made without being asked begins when its id is first seen."""
        if session_id is None or exchange.session_id is not None:
            return
        now = self.wire.telemetry.clock.now()
        session = self.wire.ledger.start(session_id, exchange.received, now)
        self._use(session)
        if self._sessions.own is None:
            self._sessions.own = session
        self.wire.move(exchange, session_id)
        exchange.span.set_attribute(names.SESSION_ID, session_id)
        exchange.span.add_link(session.link.context)

    def _use(self, session: Session) -> None:
        self._sessions.use(session)
        if self.dialect is None and session.dialect is not None:
            self._learn(session.dialect)
        elif session.dialect is None:
            session.dialect = self.dialect

    def _stop_session(self, session_id: str, now: int) -> None:
        if self.dialect is not None and self.dialect.stop_cuts:
            for exchange in self.wire.queues.of(session_id):
                exchange.stopped = True
                self.wire.complete(exchange, now)
        self.wire.ledger.stop(session_id, now)

    # --- Ends ----------------------------------------------------------------------------------------------
    def _of_session(self, session_id: str | None) -> Exchange | None:
        exchange = self.wire.queues.head(session_id)
        if exchange is None and len(self._exchanges) == 1:
            (only,) = self._exchanges
            # Not one of another session: that frame's own exchange has ended.
            if session_id is None or only.session_id is None:
                only.correlation = "connection"
                exchange = only
        return exchange

    def _end_with_socket(self, exchange: Exchange, error: str | None, *, cancelled: bool, now: int) -> None:
        if error is not None:
            exchange.raised = error
        elif cancelled:
            exchange.stopped = True
        else:
            exchange.left = exchange.left or now
        self.wire.complete(exchange, now)

    def _learn(self, dialect: Any) -> None:
        if dialect is not None:
            self.dialect = dialect
            self.head = dialect.chunk_head


def _current() -> Exchange | None:
    exchange = CURRENT.get()
    return None if exchange is None or exchange.ended else exchange
