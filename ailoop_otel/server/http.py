"""Plain HTTP requests: the business of opentelemetry-instrumentation-asgi, switched on here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.trace import get_current_span

App = Callable[[Any, Any, Any], Awaitable[None]]


def traced_http(app: App) -> App:
    """The application with a span for each HTTP request that nobody else has made one for."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    traced = OpenTelemetryMiddleware(app, exclude_spans=["receive", "send"])

    async def through(scope: Any, receive: Any, send: Any) -> None:
        # FastAPI's own telemetry or its instrumentor stand further out and have made theirs by now.
        known = get_current_span().get_span_context().is_valid
        await (app if known else traced)(scope, receive, send)

    return through
