"""How a call begins: its span, its session, and the exchange that a message opens."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanKind

from ailoop_otel import names
from ailoop_otel.protocol.frame import MESSAGE_METHOD, Request
from ailoop_otel.recording.spans import EMPTY, context_of
from ailoop_otel.recording.telemetry import Attributes
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.tracking.sessions import Session
from ailoop_otel.wire.call import Call, attributes_of
from ailoop_otel.wire.peer import Peer
from ailoop_otel.wire.trust import remote_span


def open_call(peer: Peer, request: Request, now: int, size: int) -> Call:
    """Begin the call that a frame of `size` characters makes; `now` is when the application got it."""
    telemetry = peer.wire.telemetry
    is_message = _is_message(peer, request)
    session = peer.sessions.of(request, peer.dialect, now) if is_message else None
    session = session or peer.wire.ledger.get(request.session_id)
    if is_message and session is not None:
        peer.use(session)
    elif session is not None and peer.dialect is None:
        peer.learn(session.dialect)
    attributes: Attributes = attributes_of(request, peer.client)
    if session is not None:
        attributes[names.SESSION_ID] = session.id
    if peer.dialect is not None:
        attributes[names.DIALECT] = peer.dialect.name
    links = [session.link] if session is not None else []
    parent = _parent(peer, request, attributes, links)
    offset = telemetry.offset()
    method = str(attributes[names.RPC_METHOD])
    span = telemetry.start_span(method, now + offset, attributes, parent, SpanKind.SERVER, tuple(links))
    call = Call(request, span, now, offset)
    if is_message:
        call.exchange = _open_exchange(peer, call, session, size)
    return call


def _parent(peer: Peer, request: Request, attributes: Attributes, links: list[Link]) -> Context:
    """The client's span, where it sent one and is trusted; else nothing, and the client's span is linked."""
    client = remote_span(request.trace) or remote_span(peer.handshake)
    if client is None:
        return EMPTY
    if peer.wire.telemetry.settings.trust_client:
        return context_of(NonRecordingSpan(client))
    links.append(Link(client))
    attributes[names.CLIENT_TRACE_ID] = f"{client.trace_id:032x}"
    return EMPTY


def _open_exchange(peer: Peer, call: Call, session: Session | None, size: int) -> Exchange:
    exchange = Exchange(peer.wire.telemetry, call.span, call.received, call.offset, size)
    exchange.session_id = session.id if session is not None else None
    dialect = peer.dialect
    if dialect is not None:
        exchange.speaks(dialect)
        exchange.command = call.request.command in dialect.commands
        if dialect.queues:
            exchange.correlation = "order"
    peer.exchanges.append(exchange)
    exchange.home = peer.exchanges
    peer.wire.open(exchange, call.received, waits=dialect is not None and dialect.queues)
    return exchange


def _is_message(peer: Peer, request: Request) -> bool:
    if not request.valid or request.method != MESSAGE_METHOD:
        return False
    if request.has_id:
        return peer.dialect is not None or not peer.stranger
    if peer.dialect is None and (session := peer.wire.ledger.get(request.session_id)) is not None:
        peer.learn(session.dialect)
    return peer.dialect is not None and peer.dialect.takes_notifications
