"""Plain HTTP requests: the business of opentelemetry-instrumentation-asgi, switched on here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from opentelemetry import propagate
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Status, StatusCode, TracerProvider, get_current_span

from ailoop_otel import names
from ailoop_otel.guard import warn
from ailoop_otel.recording.internals import FASTAPI_KEY

App = Callable[[Any, Any, Any], Awaitable[None]]

# What a client writes there is nobody's business: queries hold tokens.
_PRIVATE: Final = ("http.url", "http.target", "url.full", "url.query", "http.user_agent", "user_agent.original")
_REDACTED: Final = "REDACTED"
_RAISED: Final = "ailoop_otel.raised"


def traced_http(app: App, tracers: TracerProvider, meters: MeterProvider) -> App:
    """The application with a span for each HTTP request that nobody else has made one for, or was told not to."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.util.http import get_excluded_urls

    # With OTEL_PROPAGATORS=none it returns nothing, and the instrumentation would answer each request with a 500.
    if propagate.extract({}) is None:
        warn("OTEL_PROPAGATORS names no propagator: plain HTTP requests get no spans of ours; use its default")
        return app

    traced = OpenTelemetryMiddleware(
        _discreet(app),
        server_request_hook=_redact,
        excluded_urls=get_excluded_urls("ASGI"),
        tracer_provider=tracers,
        meter_provider=meters,
        exclude_spans=["receive", "send"],
    )

    async def through(scope: Any, receive: Any, send: Any) -> None:
        # Others stand further out and have done what they wanted by now.
        known = FASTAPI_KEY in scope or get_current_span().get_span_context().is_valid
        await (app if known else traced)(scope, receive, send)
        if (raised := scope.pop(_RAISED, None)) is not None:
            raise raised

    return through


def _discreet(app: App) -> App:
    """Keep an exception away from the instrumentation, which would record its text; it is raised again behind it."""

    async def run(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except Exception as fault:  # noqa: BLE001 - it goes on, unchanged, as soon as the span has ended
            span = get_current_span()
            span.set_attribute(names.ERROR_TYPE, type(fault).__name__)
            span.set_status(Status(StatusCode.ERROR))
            scope[_RAISED] = fault

    return run


def _redact(span: Any, scope: Any) -> None:
    for name in _PRIVATE:
        if name in (getattr(span, "attributes", None) or ()):
            span.set_attribute(name, _REDACTED)
