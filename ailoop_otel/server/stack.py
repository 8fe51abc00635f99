"""The web framework: how our middleware gets into the application, which requests are left to whom, plain HTTP's spans.

AILoop's WebSockets are this package's; plain HTTP requests are opentelemetry-instrumentation-asgi's, switched on here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from opentelemetry import propagate
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Status, StatusCode, TracerProvider, get_current_span

from ailoop_otel import names
from ailoop_otel.guard import Guard, warn
from ailoop_otel.recording.internals import FASTAPI_KEY, is_stack_built
from ailoop_otel.server.first_application import is_ailoop
from ailoop_otel.server.patching import Target

App = Callable[[Any, Any, Any], Awaitable[None]]

# Attributes whose value a client chooses: queries often hold tokens.
_PRIVATE: Final = ("http.url", "http.target", "url.full", "url.query", "http.user_agent", "user_agent.original")
_REDACTED: Final = "REDACTED"
_RAISED: Final = "ailoop_otel.raised"


def scope_of(args: Any, kwargs: Any) -> Any:
    """The scope that an application is called with; uvicorn calls it with nothing, to see if it is a factory."""
    return args[0] if args else kwargs.get("scope", {})


def insert(app: Any, middleware: Any, guard: Guard) -> None:
    """Put `middleware` at the head of AILoop's application, unless it is in it."""
    with guard:
        if not _has(app, middleware) and is_ailoop(app):
            from starlette.middleware import Middleware

            app.user_middleware.insert(0, Middleware(middleware))


def _has(app: Any, middleware: Any) -> bool:
    return any(getattr(entry, "cls", None) is middleware for entry in getattr(app, "user_middleware", ()))


def leave_alone(scope: Any) -> None:
    """Have FastAPI's own telemetry make no span of a request: it would be a second one."""
    scope.setdefault(FASTAPI_KEY, None)


def stack_targets(guard: Guard, middleware: Any) -> tuple[Target, ...]:
    """The framework's functions by which `middleware` gets to the head of AILoop's application, exactly once.

    An application to which somebody has added it is AILoop's as well, whatever its routes.
    """

    def is_ours(app: Any) -> bool:
        return _has(app, middleware) or is_ailoop(app)

    def build(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
        insert(app, middleware, guard)
        return wrapped(*args, **kwargs)

    def call(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
        with guard:
            scope = scope_of(args, kwargs)
            if not is_stack_built(app):
                # Other code got `build_middleware_stack` before it was wrapped.
                insert(app, middleware, guard)
            if scope.get("type") == "websocket" and is_ours(app):
                leave_alone(scope)
        return wrapped(*args, **kwargs)

    def let_through(wrapped: Callable[..., Any], instrumentation: Any, args: Any, kwargs: Any) -> Any:
        with guard:
            scope = scope_of(args, kwargs)
            kind = scope.get("type")
            if kind in ("http", "websocket") and is_ours(scope.get("app") or instrumentation.app):
                leave_alone(scope)
                if kind == "websocket":
                    return instrumentation.app(*args, **kwargs)
        return wrapped(*args, **kwargs)

    return (
        Target("starlette.applications", "Starlette.build_middleware_stack", build),
        Target("starlette.applications", "Starlette.__call__", call),
        Target("fastapi.applications", "FastAPI.build_middleware_stack", build),
        Target("fastapi.applications", "FastAPI.__call__", call),
        Target("opentelemetry.instrumentation.asgi", "OpenTelemetryMiddleware.__call__", let_through),
    )


def traced_http(app: App, tracers: TracerProvider, meters: MeterProvider) -> App:
    """The application with a span for each HTTP request that has none yet and is not excluded."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.util.http import get_excluded_urls

    # With OTEL_PROPAGATORS=none it returns None, and the instrumentation would answer each request with a 500.
    if propagate.extract({}) is None:
        warn("OTEL_PROPAGATORS names no propagator: plain HTTP requests get no spans of ours; use its default")
        return app

    traced = OpenTelemetryMiddleware(
        _without_exceptions(app),
        server_request_hook=_redact,
        excluded_urls=get_excluded_urls("ASGI"),
        tracer_provider=tracers,
        meter_provider=meters,
        exclude_spans=["receive", "send"],
    )

    async def through(scope: Any, receive: Any, send: Any) -> None:
        # Other instrumentation stands further out: if it makes a span for this request, it has done so by now.
        known = FASTAPI_KEY in scope or get_current_span().get_span_context().is_valid
        await (app if known else traced)(scope, receive, send)
        if (raised := scope.pop(_RAISED, None)) is not None:
            raise raised

    return through


def _without_exceptions(app: App) -> App:
    """Keep exceptions from the instrumentation, which would record their text; `traced_http` raises them again."""

    async def run(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except Exception as fault:  # noqa: BLE001 - it is raised again, unchanged, as soon as the span has ended
            span = get_current_span()
            span.set_attribute(names.ERROR_TYPE, type(fault).__name__)
            span.set_status(Status(StatusCode.ERROR))
            scope[_RAISED] = fault

    return run


def _redact(span: Any, scope: Any) -> None:
    for name in _PRIVATE:
        if name in (getattr(span, "attributes", None) or ()):
            span.set_attribute(name, _REDACTED)
