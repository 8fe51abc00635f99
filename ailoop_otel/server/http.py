"""Plain HTTP requests: the business of opentelemetry-instrumentation-asgi, switched on here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider, get_current_span

from ailoop_otel.server.stack import FASTAPI_KEY

App = Callable[[Any, Any, Any], Awaitable[None]]


def traced_http(app: App, tracers: TracerProvider, meters: MeterProvider) -> App:
    """The application with a span for each HTTP request that nobody else has made one for, or was told not to."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.util.http import get_excluded_urls

    traced = OpenTelemetryMiddleware(
        app,
        excluded_urls=get_excluded_urls("ASGI"),
        tracer_provider=tracers,
        meter_provider=meters,
        exclude_spans=["receive", "send"],
    )

    async def through(scope: Any, receive: Any, send: Any) -> None:
        # Others stand further out and have done what they wanted by now.
        known = FASTAPI_KEY in scope or get_current_span().get_span_context().is_valid
        await (app if known else traced)(scope, receive, send)

    return through
