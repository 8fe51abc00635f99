"""Exchanges without a wire."""

from __future__ import annotations

from opentelemetry.trace import SpanKind

from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.stateless import Stateless
from ailoop_otel.protocol.traits import NOTHING_KNOWN
from ailoop_otel.recording.telemetry import EMPTY
from ailoop_otel.tracking.exchange import Exchange
from tests.recorder import Recording

STATELESS = NOTHING_KNOWN.seen(Stateless())
DELEGATES = NOTHING_KNOWN.seen(Delegates())
(UPDATE,) = Stateless.chunk_forms
(PIECE,) = Delegates.chunk_forms


def opened(recording: Recording, *, queued: bool = False, session: str | None = None) -> Exchange:
    """An exchange whose message has just been received; its turn has come unless it is `queued`."""
    telemetry = recording.telemetry
    now, offset = telemetry.clock.now(), telemetry.offset()
    span = telemetry.start_span("sendUserMessage", now + offset, {}, EMPTY, SpanKind.SERVER)
    exchange = Exchange(telemetry, span, now, offset, message_size=10)
    exchange.session_id = session
    if not queued:
        exchange.take_turn(now)
    return exchange
