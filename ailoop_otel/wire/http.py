"""Plain HTTP requests: spans and metrics by opentelemetry-instrumentation-asgi, of what may be recorded and no more.

The instrumentation never sees the request. It is given a scope that is made for it, of bounded values only, so that
what a client chose is in none of its attributes, labels and log lines, whichever conventions it follows.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address
from os import environ
from types import SimpleNamespace
from typing import Any, Final

from opentelemetry import propagate
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Status, StatusCode, TracerProvider, get_current_span

from ailoop_otel import names
from ailoop_otel.guard import tried, warn
from ailoop_otel.protocol.foreign import harmless
from ailoop_otel.recording.internals import FASTAPI_KEY
from ailoop_otel.recording.telemetry import Telemetry
from ailoop_otel.wire.calls import client_of, handshake_trace, remote_span

App = Callable[[Any, Any, Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# Keys of the scope that is made: the request's own scope, the client's span, and what the application raised.
_REQUEST: Final = "ailoop_otel.request"
_CLIENT: Final = "ailoop_otel.client"
_RAISED: Final = "ailoop_otel.raised"

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
_SCHEMES: Final = frozenset({"http", "https"})
_VERSIONS: Final = frozenset({"1.0", "1.1", "2", "2.0", "3", "3.0"})
# A size that every exporter can write: below 10^15.
_SIZE: Final = re.compile(rb"[0-9]{1,15}")
_LONGEST_TRACE: Final = 256
_LONGEST_HEADER: Final = 1024
# The instrumentation's own setting: headers that the operator wants on spans.
_CAPTURE: Final = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST"
_NEVER: Final = frozenset({"host", "user-agent", "content-length", "traceparent", "tracestate", "baggage"})


def traced_http(app: App, tracers: TracerProvider, meters: MeterProvider, telemetry: Telemetry) -> App:
    """The application with a span for each HTTP request that has none yet and is not excluded."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware, get_host_port_url_tuple
    from opentelemetry.util.http import get_excluded_urls

    # With OTEL_PROPAGATORS=none it returns None, and the instrumentation would answer each request with a 500.
    if propagate.extract({}) is None:
        warn("OTEL_PROPAGATORS names no propagator: plain HTTP requests get no spans of ours; use its default")
        return app

    guard, excluded = telemetry.guard, get_excluded_urls("ASGI")
    traced = OpenTelemetryMiddleware(
        _without_exceptions(app),
        default_span_details=_details,
        server_request_hook=_link_client,
        tracer_provider=tracers,
        meter_provider=meters,
        exclude_spans=["receive", "send"],
    )

    def begin(scope: Any) -> dict[str, Any] | None:
        # Other instrumentation stands further out: if it makes a span for this request, it has done so by now.
        if FASTAPI_KEY in scope or get_current_span().get_span_context().is_valid:
            return None
        host = [(b"host", value.decode("latin-1").encode()) for name, value in scope["headers"] if name == b"host"]
        url = get_host_port_url_tuple({**scope, "headers": host})[2]  # type: ignore[no-untyped-call]
        if excluded.url_disabled(url):
            return None
        scope[FASTAPI_KEY] = None  # an application within this one makes no second span
        return bounded_scope(scope, trust=telemetry.settings.trust_client)

    async def through(scope: Any, receive: Any, send: Any) -> None:
        bounded = None
        with guard:
            bounded = begin(scope)
        if bounded is None:
            await app(scope, receive, send)
            return
        await traced(bounded, receive, send)
        if (raised := bounded.pop(_RAISED, None)) is not None:
            raise raised

    return through


def bounded_scope(scope: Any, *, trust: bool) -> dict[str, Any]:
    """What may be recorded of an HTTP request, as an ASGI scope; `trust` where the client's trace is the parent."""
    route, _ = tried(_route_of, scope)  # a route may convert a parameter, and fail at it
    method = scope["method"].upper()
    client = remote_span(handshake_trace(scope))
    bounded = {
        "type": "http",
        "method": method if method in _METHODS else names.OTHER,
        "path": route or "",
        "server": _server_of(scope),
        "client": client_of(scope),
        "headers": [*_sizes(scope), *(_trusted(scope) if trust else ()), *_captured(scope)],
        _REQUEST: scope,
        _CLIENT: None if trust else client,
    }
    if route:
        bounded["route"] = SimpleNamespace(path_format=route)
    for key, known in (("scheme", _SCHEMES), ("http_version", _VERSIONS)):
        if scope.get(key) in known:
            bounded[key] = scope[key]
    return bounded


def _route_of(scope: Any) -> str | None:
    """The template of the route that the application has for a request; as Starlette, a wrong method comes last."""
    routes = getattr(scope.get("app"), "routes", ())
    # Newer FastAPI keeps an included router as a route of its own.
    flat = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", iter)
    found = None
    for route in flat(routes):
        match, _ = route.matches(dict(scope))
        template = getattr(route, "path_format", None) or getattr(route, "path", None)
        if match.name == "FULL":
            return template
        if match.name == "PARTIAL":
            found = found or template
    return found


def _server_of(scope: Any) -> Any:
    # A server tells the address of its socket; one that takes it from the `Host` header has the client choose it.
    given = scope.get("server") or (None, None)
    address, _ = tried(ip_address, harmless(given[0]))
    return given if address is not None and isinstance(given[1], int) else (names.OTHER, "")


def _sizes(scope: Any) -> Headers:
    return [(name, size) for name, size in scope["headers"] if name == b"content-length" and _SIZE.fullmatch(size)]


def _trusted(scope: Any) -> Headers:
    # Without its state and baggage: a WebSocket's are not taken either, and malformed ones are logged as they came.
    fields = {name.encode() for name in propagate.get_global_textmap().fields - {"tracestate", "baggage"}}
    return [(name, _text(value)) for name, value in scope["headers"] if name in fields and len(value) < _LONGEST_TRACE]


def _captured(scope: Any) -> Iterator[tuple[bytes, bytes]]:
    for name, value in scope["headers"] if environ.get(_CAPTURE) else ():
        text = harmless(name.decode("latin-1"))
        if text is not None and text not in _NEVER | propagate.get_global_textmap().fields:
            yield name, _text(value[:_LONGEST_HEADER])


def _text(value: bytes) -> bytes:
    # The instrumentation fails at what is not UTF-8.
    return value.decode("utf-8", "replace").encode()


def _details(bounded: Any) -> tuple[str, dict[str, str]]:
    """The name of a request's span, and its route: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#name."""
    method = "HTTP" if bounded["method"] == names.OTHER else bounded["method"]
    route = bounded["path"]
    return (f"{method} {route}", {names.HTTP_ROUTE: route}) if route else (method, {})


def _link_client(span: Any, bounded: Any) -> None:
    client = bounded[_CLIENT]
    if client is not None:
        span.add_link(client)
        span.set_attribute(names.CLIENT_TRACE_ID, f"{client.trace_id:032x}")


def _without_exceptions(app: App) -> App:
    """Keep exceptions from the instrumentation, which would record their text; `traced_http` raises them again."""

    async def run(bounded: Any, receive: Any, send: Any) -> None:
        try:
            await app(bounded[_REQUEST], receive, send)
        except Exception as fault:  # noqa: BLE001 - it is raised again, unchanged, as soon as the span has ended
            span = get_current_span()
            if span.is_recording():  # not if it was raised after the answer
                span.set_attribute(names.ERROR_TYPE, type(fault).__name__)
                span.set_status(Status(StatusCode.ERROR))
            bounded[_RAISED] = fault

    return run
