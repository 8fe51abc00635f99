"""What a notification tells of the exchange that it belongs to."""

from __future__ import annotations

from ailoop_otel.protocol.frame import Meaning, Notice
from ailoop_otel.tracking.current import current_exchange
from ailoop_otel.tracking.deadlines import TOTAL
from ailoop_otel.tracking.exchange import Exchange
from ailoop_otel.tracking.sessions import FAILED
from ailoop_otel.wire.peer import Peer


def chunk_sent(peer: Peer, text: str, now: int) -> None:
    """A frame that begins like a chunk was handed to the socket at `now`, and more than counting is needed."""
    dialect = peer.dialect
    exchange = current_exchange() or peer.find(text)
    if dialect is None:
        return
    if exchange is None:
        if not peer.closed:
            peer.wire.telemetry.unmatched += 1
        return
    if dialect.final_tail and text.endswith(dialect.final_tail):
        _final(peer, exchange, now)
    elif dialect.cumulative:
        if exchange.update(now, text):
            first_chunk(peer, exchange, text)
    else:
        exchange.chunk(now, len(text))
        exchange.answer_size += dialect.chunk_size(len(text))
        if exchange.chunks == 1:
            first_chunk(peer, exchange, text)


def first_chunk(peer: Peer, exchange: Exchange, text: str) -> None:
    """The first chunk of an answer was sent."""
    dialect = peer.dialect
    if dialect is not None:
        exchange.speaks(dialect)
        exchange.rest = dialect.chunk_rest(text)
        if exchange.session_id is None:
            peer.see_session(exchange, dialect.chunk_session(text))
    exchange.tell_first_chunk()
    # From now on a stall is looked for, which may come sooner than what was waited for.
    peer.wire.watchdog.watch(exchange)


def noticed(peer: Peer, notice: Notice, size: int, now: int) -> None:
    """A notification of `size` characters was handed to the socket at `now`."""
    meaning = notice.meaning
    if meaning is Meaning.OTHER:
        return
    if meaning is Meaning.SESSION_ENDED or meaning is Meaning.SESSION_FAILED:
        _session_over(peer, notice.session_id, now, failed=meaning is Meaning.SESSION_FAILED)
        return
    exchange = current_exchange() or peer.of_session(notice.session_id)
    if exchange is None:
        return
    if meaning is Meaning.TEXT or meaning is Meaning.CHUNK:
        if notice.size and not exchange.first:
            exchange.text(now, size)
            peer.see_session(exchange, notice.session_id)
            exchange.tell_first_chunk()
            peer.wire.watchdog.watch(exchange)
    elif meaning is Meaning.FINAL:
        _final(peer, exchange, now)
    else:
        _failed_notice(peer, exchange, now, timed_out=meaning is Meaning.TIMED_OUT)


def _final(peer: Peer, exchange: Exchange, now: int) -> None:
    exchange.whole = True
    if exchange.answered:
        peer.wire.complete(exchange, now)


def _failed_notice(peer: Peer, exchange: Exchange, now: int, *, timed_out: bool) -> None:
    exchange.failed = True
    if timed_out and not exchange.timeouts:
        # The server's own notice came first: it is the detection.
        exchange.tell(exchange.notice(TOTAL, now - (exchange.turn or exchange.received), now, now))
    if exchange.answered:
        peer.wire.complete(exchange, now)


def _session_over(peer: Peer, session_id: str | None, now: int, *, failed: bool) -> None:
    for exchange in peer.wire.queues.of(session_id):
        exchange.failed = exchange.failed or failed
        exchange.stopped = exchange.stopped or not failed
        if exchange.answered:
            peer.wire.complete(exchange, now)
    session = peer.wire.ledger.get(session_id)
    if failed and session is not None:
        peer.wire.ledger.end(session, FAILED, now)
