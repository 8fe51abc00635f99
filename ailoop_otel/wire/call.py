"""One JSON-RPC call: a SERVER span, and the time until it was replied to."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.trace import Span

from ailoop_otel import names
from ailoop_otel.protocol import METHODS
from ailoop_otel.protocol.frame import Request, harmless, id_text
from ailoop_otel.recording.spans import context_of
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes, Telemetry
from ailoop_otel.tracking.exchange import Exchange

Client = tuple[str | None, int | None]  # address and port

_SYSTEM: Final = "jsonrpc"
_SPOKEN: Final[Attributes] = {
    names.RPC_SYSTEM: _SYSTEM,
    names.JSONRPC_VERSION: "2.0",
    names.NETWORK_PROTOCOL: "websocket",
    names.NETWORK_TRANSPORT: "tcp",
}


class Call:
    """A request of a client until it is replied to; times are monotonic nanoseconds.

    `exchange` is set where the call is a message: then the span is the exchange's, which ends it.
    """

    __slots__ = ("exchange", "key", "method", "offset", "received", "request", "span")

    def __init__(self, request: Request, span: Span, received: int, offset: int) -> None:
        self.request = request
        self.key = id_text(request.id)
        self.method = method_name(request)
        self.span = span
        self.received = received
        self.offset = offset
        self.exchange: Exchange | None = None

    def replied(self, telemetry: Telemetry, now: int, code: int | None) -> None:
        """Record the reply; `code` as `frame.error_code` gives it."""
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


def error_of(code: int) -> str:
    """The `error.type` of a JSON-RPC error; 0 is an error reply without a code."""
    return str(code) if code else "server_error"


def method_name(request: Request) -> str:
    """The request's method, if AILoop has such a one."""
    return request.method if request.valid and request.method in METHODS else names.OTHER


def attributes_of(request: Request, client: Client) -> Attributes:
    """What a request says of itself, and the handshake of its connection, as far as it may be recorded."""
    attributes = client_attributes(client)
    attributes[names.RPC_METHOD] = method_name(request)
    original: Any = request.method
    if request.method not in METHODS and (original := harmless(original)) is not None:
        attributes[names.RPC_METHOD_ORIGINAL] = original
    if request.has_id and (request_id := harmless(request.id)) is not None:
        attributes[names.JSONRPC_ID] = request_id
    return attributes


def client_of(scope: Any) -> Client:
    """The client that a handshake came from, as far as it may be recorded."""
    given = scope.get("client") or (None, None)
    host, port = given
    # Behind a proxy it is what a header says.
    client = harmless(host), port if isinstance(port, int) else None
    return given if given == client else client


def client_attributes(client: Client) -> Attributes:
    """What the handshake says, on every span of the connection."""
    address, port = client
    attributes = _SPOKEN.copy()
    if address is not None:
        attributes[names.CLIENT_ADDRESS] = attributes[names.NETWORK_PEER_ADDRESS] = address
    if port is not None:
        attributes[names.NETWORK_PEER_PORT] = port
    return attributes
