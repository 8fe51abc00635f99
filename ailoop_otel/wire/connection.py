"""One WebSocket from its handshake to its end."""

from __future__ import annotations

from typing import Any, Final

from ailoop_otel.protocol import recognise
from ailoop_otel.protocol.frame import STOP_METHOD, Request, is_reply, read_frame, read_request
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.tracking.current import current_exchange
from ailoop_otel.tracking.exchange import NO_FRAME, Exchange
from ailoop_otel.tracking.sessions import DISCONNECTED, FAILED, SHUTDOWN
from ailoop_otel.wire.call import Call
from ailoop_otel.wire.notices import chunk_sent, first_chunk, noticed
from ailoop_otel.wire.opening import open_call
from ailoop_otel.wire.peer import Peer
from ailoop_otel.wire.replies import replied
from ailoop_otel.wire.state import Wire

# uvicorn closes with it when it is told to stop (RFC 6455 registry: "Service Restart").
_SERVICE_RESTART: Final = 1012
# So many requests of one socket may be unanswered; AILoop answers one after the other.
_MOST_CALLS: Final = 64


class Connection(Peer):
    """What happens on one WebSocket, told by the two functions of `wire.socket`; times as the clock's `now`."""

    __slots__ = ("_began",)

    def __init__(self, wire: Wire, scope: Any) -> None:
        super().__init__(wire, scope)
        self._began = wire.telemetry.clock.now()
        wire.telemetry.connection_active.add(1)
        wire.connections.add(self)

    # --- From the client -----------------------------------------------------------------------------------
    def awaiting(self, now: int) -> None:
        """The application came back for the next message: what needed no reply is done."""
        for call in [call for call in self.calls if not call.request.has_id]:
            self.calls.remove(call)
            exchange = call.exchange
            if exchange is None:
                call.end(self.wire.telemetry, now)
            elif not exchange.ended:
                exchange.answered = True
                exchange.whole = bool(exchange.first)
                self.wire.complete(exchange, now)

    def request(self, text: str, now: int) -> Call | None:
        """A text frame arrived; returns the call it makes, or None where it is not followed."""
        if not self.wire.has_room():
            return None
        request = read_request(text)
        call = open_call(self, request, now, len(text))
        self.calls.append(call)
        if len(self.calls) > _MOST_CALLS:
            self._give_up(self.calls.pop(0), now)
        if request.method == STOP_METHOD and request.has_id and self.dialect is not None and self.dialect.stop_cuts:
            for exchange in self.wire.queues.of(request.session_id):
                exchange.stopped = True
        return call

    def _give_up(self, call: Call, now: int) -> None:
        exchange = call.exchange
        if exchange is None:
            call.end(self.wire.telemetry, now)
        elif not exchange.ended:
            self.wire.forget(exchange, now)

    def binary(self, now: int) -> None:
        """A binary frame arrived: AILoop knows none, and drops the connection."""
        open_call(self, Request(has_id=True), now, 0).end(self.wire.telemetry, now, "protocol_error")

    def disconnected(self, code: int, now: int) -> None:
        """The client has left, or the server sends it away because it stops."""
        stopping = code == _SERVICE_RESTART
        for exchange in list(self.exchanges):
            if stopping:
                # A chunk may have failed between the close and its being read: nobody has left for that.
                exchange.stopped, exchange.left = True, 0
            else:
                exchange.left = exchange.left or now
            self.wire.complete(exchange, now)
        self.sessions.leave(now, SHUTDOWN if stopping else DISCONNECTED)

    # --- To the client -------------------------------------------------------------------------------------
    def sent(self, text: str, now: int) -> None:
        """A text frame was handed to the socket at `now`; chunks that only count do not come here."""
        if self.dialect is None:
            self.learn(recognise(text))
        if text.startswith(self.head):
            chunk_sent(self, text, now)
            return
        if self.dialect is not None and self.dialect.whole_head and text.startswith(self.dialect.whole_head):
            exchange = current_exchange()
            if exchange is not None and exchange.first:
                return  # all of it was seen before
        frame = read_frame(text)
        if frame is None:
            return
        if is_reply(frame):
            replied(self, frame, len(text), now)
        elif self.dialect is not None:
            noticed(self, self.dialect.notice(frame), len(text), now)

    def first_chunk(self, exchange: Exchange, text: str) -> None:
        """The first chunk of an answer was sent."""
        first_chunk(self, exchange, text)

    def failed(self, text: str | None, now: int) -> None:
        """A send failed: the client has left, if the frame belongs to an exchange that is this connection's own."""
        exchange = current_exchange()
        if exchange is None and text is not None and text.startswith(self.head):
            exchange = self.find(text)
        if exchange is not None and exchange.home is self.exchanges:
            exchange.left = exchange.left or now

    # --- The end -------------------------------------------------------------------------------------------
    def close(self, now: int, raised: BaseException | None) -> None:
        """The application is done with the socket; whatever is still open ends here."""
        if self.closed:
            return
        self.closed = True
        self.wire.connections.discard(self)
        self.head = NO_FRAME
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
