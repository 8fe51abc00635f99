"""The web framework: how our middleware gets into the application, and which requests are left to whom.

AILoop's WebSockets are this package's; plain HTTP requests are opentelemetry-instrumentation-asgi's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ailoop_otel.guard import Guard
from ailoop_otel.recording.internals import FASTAPI_KEY, is_stack_built
from ailoop_otel.server.first_application import is_ailoop
from ailoop_otel.server.patching import Target


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
        Target("starlette.applications", "Starlette.build_middleware_stack", lambda _: build),
        Target("starlette.applications", "Starlette.__call__", lambda _: call),
        Target("fastapi.applications", "FastAPI.build_middleware_stack", lambda _: build),
        Target("fastapi.applications", "FastAPI.__call__", lambda _: call),
        Target("opentelemetry.instrumentation.asgi", "OpenTelemetryMiddleware.__call__", lambda _: let_through),
    )
