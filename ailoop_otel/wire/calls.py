"""One JSON-RPC call: its SERVER span, what may be recorded of its request, and the trace that its client sent along."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ailoop_otel import names
from ailoop_otel.protocol.foreign import harmless
from ailoop_otel.protocol.jsonrpc import Request, id_text
from ailoop_otel.protocol.registry import DIALECTS
from ailoop_otel.recording.spans import EMPTY, context_of
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes, Telemetry
from ailoop_otel.tracking.exchange import Exchange

Client = tuple[str | None, int | None]  # address and port

_SYSTEM: Final = "jsonrpc"
_COMMON: Final[Attributes] = {
    names.RPC_SYSTEM: _SYSTEM,
    names.JSONRPC_VERSION: "2.0",
    names.NETWORK_PROTOCOL: "websocket",
    names.NETWORK_TRANSPORT: "tcp",
}
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_HEADER: Final = b"traceparent"
# The propagator logs a warning for each longer one; today's have 55 characters.
_LONGEST: Final = 256


class Call:
    """A request of a client until it is replied to; times are monotonic nanoseconds.

    `exchange` is set where the call is a message: then the span is the exchange's, which ends it.
    """

    __slots__ = ("exchange", "has_id", "key", "method", "offset", "received", "session_id", "span")

    def __init__(self, request: Request, session_id: str | None, span: Span, received: int, offset: int) -> None:
        self.has_id = request.has_id
        self.key = id_text(request.id)
        self.method = method_name(request)
        self.session_id = session_id  # that the request names
        self.span = span
        self.received = received
        self.offset = offset
        self.exchange: Exchange | None = None

    def replied(self, telemetry: Telemetry, now: int, code: int | None) -> None:
        """Record the reply; `code` as `jsonrpc.error_code` gives it."""
        labels: Attributes = {names.RPC_SYSTEM: _SYSTEM, names.RPC_METHOD: self.method}
        if code is not None:
            labels[names.ERROR_TYPE] = error_of(code)
            if code:
                labels[names.RPC_STATUS] = str(code)
        context = context_of(self.span) if self.exchange is None else self.exchange.context
        telemetry.rpc_duration.record((now - self.received) / SECOND, labels, context)
        if self.exchange is None:
            self.end(telemetry, now, None if code is None else error_of(code), code)

    def end(self, telemetry: Telemetry, now: int, error: str | None = None, code: int | None = None) -> None:
        """End the span of a call that is no exchange."""
        attributes: Attributes = {}
        if code:
            attributes[names.RPC_STATUS] = str(code)
        if error is not None:
            attributes[names.ERROR_TYPE] = error
        end = max(now, self.received + SHORTEST) + self.offset
        telemetry.defer(telemetry.end_span, self.span, end, attributes, error is not None)


def begin_call(
    telemetry: Telemetry,
    request: Request,
    session_id: str | None,
    now: int,
    attributes: Attributes,
    session_link: Link | None,
    client_span: SpanContext | None,
) -> Call:
    """Start the span of a request that came at `now`.

    `client_span` is the parent where clients are trusted, else it is linked. `attributes` become the span's own.
    """
    links = [session_link] if session_link is not None else []
    parent = EMPTY
    if client_span is not None and telemetry.settings.trust_client:
        parent = context_of(NonRecordingSpan(client_span))
    elif client_span is not None:
        links.append(Link(client_span))
        attributes[names.CLIENT_TRACE_ID] = f"{client_span.trace_id:032x}"
    offset = telemetry.offset()
    method = str(attributes[names.RPC_METHOD])
    span = telemetry.start_span(method, now + offset, attributes, parent, SpanKind.SERVER, tuple(links))
    return Call(request, session_id, span, now, offset)


def error_of(code: int) -> str:
    """The `error.type` of a JSON-RPC error; 0 is an error reply without a code."""
    return str(code) if code else "server_error"


def method_name(request: Request) -> str:
    """The request's method, if a known server has such a one, else `_OTHER`."""
    return request.method if request.valid and request.method in DIALECTS.methods else names.OTHER


def attributes_of(request: Request, client: Client) -> Attributes:
    """The attributes of a request and of its connection's handshake, as far as these may be recorded."""
    attributes = _COMMON.copy()
    address, port = client
    if address is not None:
        attributes[names.CLIENT_ADDRESS] = attributes[names.NETWORK_PEER_ADDRESS] = address
    if port is not None:
        attributes[names.NETWORK_PEER_PORT] = port
    attributes[names.RPC_METHOD] = method_name(request)
    original: Any = request.method
    if request.method not in DIALECTS.methods and (original := harmless(original)) is not None:
        attributes[names.RPC_METHOD_ORIGINAL] = original
    if request.has_id and (request_id := harmless(request.id)) is not None:
        attributes[names.JSONRPC_ID] = request_id
    return attributes


def client_of(scope: Any) -> Client:
    """The client of a handshake, as far as it may be recorded."""
    given = scope.get("client") or (None, None)
    host, port = given
    # Behind a proxy it is the text of a header.
    client = harmless(host), port if isinstance(port, int) else None
    return given if given == client else client


def handshake_trace(scope: Any) -> str | None:
    """The `traceparent` header of a handshake."""
    for name, value in scope.get("headers", ()):
        if name == _HEADER:
            return str(value.decode("latin-1"))
    return None


def remote_span(traceparent: Any) -> SpanContext | None:
    """The span that a `traceparent` names (W3C Trace Context); None where it is malformed."""
    if not isinstance(traceparent, str) or len(traceparent) > _LONGEST:
        return None
    context: Context = _PROPAGATOR.extract({"traceparent": traceparent}, EMPTY)
    span_context = get_current_span(context).get_span_context()
    return span_context if span_context.is_valid else None
