"""What a reply tells: of its call, of the session it starts or stops, of the answer it brings."""

from __future__ import annotations

from typing import Any

from ailoop_otel.protocol import DIALECTS
from ailoop_otel.protocol.frame import START_METHOD, STOP_METHOD, Answer, Json, Request, error_code, id_text, identifier
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.wire.call import Call
from ailoop_otel.wire.peer import Peer


def replied(peer: Peer, frame: Json, size: int, now: int) -> None:
    """A reply of `size` characters was handed to the socket at `now`."""
    call = _call_of(peer, frame.get("id"))
    if call is None:
        return
    peer.calls.remove(call)
    code = error_code(frame)
    call.replied(peer.wire.telemetry, now, code)
    exchange = call.exchange
    if exchange is not None:
        if not exchange.ended:
            exchange.code = code or None
            exchange.raised = "server_error" if code == 0 else exchange.raised
            _message_replied(peer, call.request, exchange, frame.get("result"), size, now)
    elif code is None:
        _lifecycle(peer, call, frame.get("result"), now)


def _call_of(peer: Peer, request_id: object) -> Call | None:
    key = id_text(request_id)
    for call in peer.calls:
        if call.key == key:
            return call
    return None


def _lifecycle(peer: Peer, call: Call, result: Any, now: int) -> None:
    method = call.request.method
    started = identifier(result.get("sessionId")) if isinstance(result, dict) else None
    if method == START_METHOD and started is not None:
        session = peer.wire.ledger.start(started, call.received, now, call.span.get_span_context())
        session.dialect = peer.dialect
        peer.sessions.own = session
        peer.use(session)
    elif method == STOP_METHOD and call.request.session_id is not None:
        _stop_session(peer, call.request.session_id, now)


def _message_replied(peer: Peer, request: Request, exchange: Exchange, result: Any, size: int, now: int) -> None:
    exchange.answered = True
    if exchange.code is not None or exchange.raised is not None:
        peer.wire.complete(exchange, now)
        return
    answer = _read_answer(peer, request, result)
    if answer is None:
        peer.stranger = True
        peer.wire.forget(exchange, now)
    elif answer.acknowledges:
        peer.see_session(exchange, request.session_id)
        if exchange.whole or exchange.failed or exchange.stopped:
            peer.wire.complete(exchange, now)
    else:
        _answered(peer, exchange, answer, size, now)


def _read_answer(peer: Peer, request: Request, result: Any) -> Answer | None:
    if peer.dialect is not None:
        return peer.dialect.answer(result)
    # Nothing was said yet by which to tell the generations apart.
    for dialect in DIALECTS:
        answer = dialect.answer(result)
        if answer is not None and (not answer.command or request.command in dialect.commands):
            if not answer.acknowledges and not answer.command:
                peer.learn(dialect)
            return answer
    return None


def _answered(peer: Peer, exchange: Exchange, answer: Answer, size: int, now: int) -> None:
    if peer.dialect is not None:
        exchange.speaks(peer.dialect)
    exchange.command = answer.command
    exchange.failed = exchange.failed or answer.failed
    exchange.answer_size = answer.size
    if answer.size and not exchange.first:
        exchange.text(now, size)
        exchange.tell_first_chunk()
    exchange.whole = bool(answer.size) or answer.command
    exchange.check_ending(answer)
    peer.wire.complete(exchange, now)


def _stop_session(peer: Peer, session_id: str, now: int) -> None:
    if peer.dialect is not None and peer.dialect.stop_cuts:
        for exchange in peer.wire.queues.of(session_id):
            exchange.stopped = True
            peer.wire.complete(exchange, now)
    peer.wire.ledger.stop(session_id, now)
